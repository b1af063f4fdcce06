"""Ollama's messages to OpenAI's: images, tool calls, and the ids that bind results to calls. Pure.

Ollama clients may send a `tool_call_id`, only a `tool_name`, or neither; OpenAI backends want every result to
name a call of the assistant turn before it. The ids made here follow from positions, so that the same
history gives the same bytes and a backend's prompt cache stays warm.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.diagnostics import SILENT, Diagnostics
from gateway.translate.images import content_with_images
from gateway.translate.reasoning_replay import THOUGHT
from ollama_api.ollama.types import Message, ToolCall

ANY_CALL = ("any", "call")


def to_openai(messages: Iterable[Message], diagnostics: Diagnostics = SILENT) -> list[dict[str, Any]]:
    """Translate a conversation. Thinking stays with the calls behind it, for backends that want it back."""
    linker = _Linker(diagnostics)
    translated: list[dict[str, Any]] = []
    for turn, message in enumerate(messages):
        if message.role != "tool" or message.tool_calls:
            translated += linker.close_unanswered_calls()
        translated.append(_message(turn, message, linker))
    return translated + linker.close_unanswered_calls()


def _message(turn: int, message: Message, linker: _Linker) -> dict[str, Any]:
    if message.tool_calls:
        return _assistant_with_calls(turn, message, linker)
    if message.role == "tool":
        return _tool_result(message, linker)
    return {"role": message.role, "content": _content_of(message)}


def _content_of(message: Message) -> Any:
    return content_with_images(message.content, message.images) if message.images else message.content


def _assistant_with_calls(turn: int, message: Message, linker: _Linker) -> dict[str, Any]:
    calls = [_call(turn, place, call) for place, call in enumerate(message.tool_calls)]
    linker.ask(calls)
    content = _content_of(message)
    made = {"role": message.role, "content": content, "tool_calls": calls}
    if message.thinking:
        made[THOUGHT] = message.thinking
    return made


def _call(turn: int, place: int, call: ToolCall) -> dict[str, Any]:
    """A call as OpenAI writes it: arguments are text there."""
    arguments = bytes(call.function.arguments)
    if arguments in (b"null", b""):
        arguments = b"{}"
    function = {"name": call.function.name, "arguments": msgspec.json.format(arguments, indent=-1).decode()}
    return {"id": call.id or make_id(turn, place), "type": "function", "function": function}


def make_id(turn: int, place: int) -> str:
    """Make the id of a call that has none: nine letters and digits, which every backend accepts."""
    return f"c{turn % 100_000:05d}{place % 1000:03d}"


def _tool_result(message: Message, linker: _Linker) -> dict[str, Any]:
    call_id = linker.take(message.tool_call_id, message.tool_name)
    if call_id is None:
        # An id that matches nothing would be refused by the backend; the text is what the model needs.
        name = f" ({message.tool_name})" if message.tool_name else ""
        linker.diagnostics.note_changed(
            "messages", "messages", "a tool's result that answers no call: a user's turn"
        )
        text = f"Tool result{name}: {message.content}"
        return {"role": "user", "content": content_with_images(text, message.images)}
    return {
        "role": "tool",
        "tool_call_id": call_id,
        "content": _content_of(message),
    }


class _Linker:
    """The calls of the last assistant turn that have no result yet."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self._waiting: dict[tuple[str, str], deque[dict[str, Any]]] = {}
        """What a call may be found by -> such calls, in order, the answered ones among them."""
        self._answered: set[int] = set()

    def ask(self, calls: list[dict[str, Any]]) -> None:
        """Open the calls of a turn."""
        self._waiting, self._answered = defaultdict(deque), set()
        for call in calls:
            for handle in (("id", call["id"]), ("name", call["function"]["name"]), ANY_CALL):
                self._waiting[handle].append(call)

    def take(self, call_id: str, name: str) -> str | None:
        """Bind a result: by its id, else to the first open call of that name, else to the first open call."""
        for handle in (("id", call_id), ("name", name), ANY_CALL):
            waiting = self._waiting.get(handle) if handle[1] else None
            while waiting:
                call = waiting.popleft()
                if id(call) not in self._answered:
                    self._answered.add(id(call))
                    return str(call["id"])
        return None

    def close_unanswered_calls(self) -> list[dict[str, Any]]:
        """Close the calls that nobody answered: many backends refuse a call without a result."""
        if not self._waiting:
            return []
        left = [call["id"] for call in self._waiting[ANY_CALL] if id(call) not in self._answered]
        self._waiting = {}
        if left:
            self.diagnostics.note_added("messages", "an empty result for each tool call that has none")
        return [{"role": "tool", "tool_call_id": call_id, "content": ""} for call_id in left]
