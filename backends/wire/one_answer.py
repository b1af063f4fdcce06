"""One answer out of what a backend says in several choices, or says twice. Pure.

Sources: MiniMax API reference, "Chat completion", whose streams end with the whole message; Copilot, which
puts text into one choice and each call into another, though `n` was not asked.
"""

from __future__ import annotations

from typing import Any

from backends.wire.content_parts import join_texts, read_parts, read_thinking
from backends.wire.openai_types import Choice, Delta, Logprobs, ToolCallDelta

MOST_CALLS = 1000
"""How many calls of an answer are told apart."""


def straighten(delta: Delta) -> None:
    """Bring text, thinking and calls to where they belong; of several copies of the thinking, take one."""
    listed = ""
    if isinstance(delta.content, list):
        delta.content, listed = read_parts(delta.content)
    delta.content = delta.content or delta.refusal
    delta.reasoning_content = (
        delta.reasoning_content
        or delta.reasoning
        or delta.reasoning_text
        or (join_texts(delta.thinking) if delta.thinking else "")
        or "".join(map(read_thinking, delta.reasoning_details or ()))
        or "".join(map(read_thinking, delta.thinking_blocks or ()))
        or listed
        or None
    )
    if delta.function_call is not None and not delta.tool_calls:
        delta.tool_calls = [ToolCallDelta(0, None, delta.function_call)]


class Progress:
    """How much of a streamed answer has come, so that a whole message behind it adds only what is new."""

    __slots__ = ("_calls", "_places", "text_size", "thinking_size")

    def __init__(self) -> None:
        self.text_size = 0
        self.thinking_size = 0
        """Characters."""
        self._calls: set[Any] = set()
        self._places: dict[tuple[int, Any], int] = {}
        """Choice and index of a call -> its index in the one answer."""

    def note(self, delta: Delta) -> None:
        """Count what a chunk adds."""
        self.text_size += len(delta.content or "")
        self.thinking_size += len(delta.reasoning_content or "")
        for call in delta.tool_calls or ():
            if len(self._calls) < MOST_CALLS:
                self._calls.add(call.index if call.index is not None else call.id)

    def has_begun(self) -> bool:
        """Whether anything has come."""
        return bool(self.text_size or self.thinking_size or self._calls)

    def keep_new(self, message: Delta) -> None:
        """Take out of a whole message what has come before it."""
        if isinstance(message.content, str):
            message.content = message.content[self.text_size :]
        message.reasoning_content = (message.reasoning_content or "")[self.thinking_size :] or None
        new = (message.tool_calls or [])[len(self._calls) :]
        first = len(self._calls)
        message.tool_calls = [
            ToolCallDelta(first + place, call.id, call.function, call.extra_content)
            for place, call in enumerate(new)
        ] or None
        message.reasoning_details = message.thinking_blocks = None
        self.note(message)

    def join_choices(self, choices: list[Choice]) -> Choice:
        """Make one choice of several."""
        for choice in choices:
            self._number_calls(choice)
        one = choices[0]
        for other in choices[1:]:
            _add(one, other)
        one.index = 0
        if one.finish_reason and any(_calls_of(choice) for choice in choices):
            one.finish_reason = "tool_calls"
        return one

    def _number_calls(self, choice: Choice) -> None:
        """Straighten a choice, and give its calls indices that no other choice uses."""
        delta = choice.delta or choice.message
        if delta is None:
            return
        straighten(delta)
        for place, call in enumerate(delta.tool_calls or ()):
            key = (choice.index or 0, place if call.index is None else call.index)
            if len(self._places) < MOST_CALLS:
                call.index = self._places.setdefault(key, len(self._places))


def _calls_of(choice: Choice) -> Any:
    delta = choice.delta or choice.message
    return delta.tool_calls if delta is not None else None


def _add(one: Choice, other: Choice) -> None:
    """Add a choice to another."""
    mine, its = one.delta or one.message, other.delta or other.message
    if mine is None:
        one.delta, one.message = other.delta, other.message
    elif its is not None:
        add_delta(mine, its)
    one.text = _join(one.text, other.text)
    one.finish_reason = other.finish_reason or one.finish_reason
    if one.logprobs is not None and other.logprobs is not None:
        logprobs = [*(one.logprobs.content or ()), *(other.logprobs.content or ())]
        one.logprobs = Logprobs(logprobs or None)
    one.logprobs = one.logprobs or other.logprobs


def add_delta(mine: Delta, its: Delta) -> None:
    """Add a straight delta to another."""
    mine.content = _join(mine.content, its.content)
    mine.reasoning_content = _join(mine.reasoning_content, its.reasoning_content)
    mine.tool_calls = [*(mine.tool_calls or ()), *(its.tool_calls or ())] or None
    mine.reasoning_details = [*(mine.reasoning_details or ()), *(its.reasoning_details or ())] or None
    mine.thinking_blocks = [*(mine.thinking_blocks or ()), *(its.thinking_blocks or ())] or None


def _join(one: Any, other: Any) -> Any:
    return one + other if isinstance(one, str) and isinstance(other, str) else one or other
