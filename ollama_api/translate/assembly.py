"""One answer of a backend, as it comes in: text, thinking, tool calls, the end. Pure.

Chat and generate, streamed and whole, read through this. What was seen outranks what `finish_reason` says:
tool calls count whatever the reason, and the last reason wins.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from backends.wire.openai import Choice, Delta, Reply, ServerTimings, ToolCallDelta, Usage
from ollama_api.errors import RequestError
from ollama_api.types import ReplyFunction, ReplyToolCall

# Ollama knows two ends of a generation. What is not here counts as a stop.
DONE_REASONS = {
    "length": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
}
FAILED_REASONS = frozenset({"error", "abort", "network_error", "insufficient_system_resource"})
FILTERED_REASONS = frozenset({"content_filter", "SAFETY", "RECITATION", "BLOCKLIST", "refusal"})


class AnswerUnusable(RequestError):
    """The backend answered, but not with anything that may be shown as an answer."""

    status = 502


class Piece(msgspec.Struct, gc=False):
    """What one chunk added."""

    content: str = ""
    thinking: str = ""
    logprobs: list[dict[str, Any]] | None = None


class Assembly:
    """Collects one answer. `shows_thinking`: a client that switched thinking off gets none to read."""

    __slots__ = ("_calls", "_shows_thinking", "finish_reason", "has_text", "timings", "usage")

    def __init__(self, *, shows_thinking: bool = True) -> None:
        self._shows_thinking = shows_thinking
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.timings: ServerTimings | None = None
        self.has_text = False
        self._calls: list[_Call] = []

    def take(self, reply: Reply) -> Piece | None:
        """Take a chunk, or a whole answer. None when it adds nothing to show."""
        if reply.usage is not None:
            self.usage = reply.usage
        if reply.timings is not None:
            self.timings = reply.timings
        if not reply.choices:
            return None
        choice = reply.choices[0]
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        delta = choice.delta or choice.message
        return self._take_delta(delta, choice) if delta is not None else self._take_text(choice)

    def _take_delta(self, delta: Delta, choice: Choice) -> Piece | None:
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._slot(call).add(call)
        content: Any = delta.content
        thinking = delta.reasoning_content or delta.reasoning or ""
        if isinstance(content, list):
            content, listed = _from_parts(content)
            thinking = thinking or listed
        content = content or delta.refusal or ""
        return self._piece(content, thinking, choice)

    def _take_text(self, choice: Choice) -> Piece | None:
        return self._piece(choice.text or "", "", choice)

    def _piece(self, content: str, thinking: str, choice: Choice) -> Piece | None:
        if not self._shows_thinking:
            thinking = ""
        logprobs = choice.logprobs.content if choice.logprobs is not None else None
        if not content and not thinking and not logprobs:
            return None
        self.has_text = True
        return Piece(content, thinking, logprobs)

    def _slot(self, delta: ToolCallDelta) -> _Call:
        """Find the call that a fragment belongs to: by index, by id, else a name begins a new one."""
        for call in reversed(self._calls):
            if call.is_continued_by(delta):
                return call
        self._calls.append(_Call(delta))
        return self._calls[-1]

    def tool_calls(self, salt: int) -> tuple[ReplyToolCall, ...]:
        """Give the calls, whole and in order. `salt`, such as the time, makes invented ids differ.

        Raises:
            AnswerUnusable: a call's arguments are no JSON object.
        """
        return tuple(call.whole(place, salt) for place, call in enumerate(self._calls))

    def done_reason(self) -> str:
        """Map the end. Raises `AnswerUnusable` when the backend gave up, or filtered everything."""
        reason = self.finish_reason or ""
        if reason in FAILED_REASONS:
            raise AnswerUnusable("the backend broke off this answer")
        if reason in FILTERED_REASONS and not self.has_text and not self._calls:
            raise AnswerUnusable("the backend's content filter stopped the reply")
        return DONE_REASONS.get(reason, "stop")

    @property
    def is_complete(self) -> bool:
        """Whether the backend said that this is the end."""
        return self.finish_reason is not None

    @property
    def has_answer(self) -> bool:
        """Whether anything was said at all."""
        return self.has_text or bool(self._calls)


def read_whole(reply: Reply, *, shows_thinking: bool = True) -> tuple[Assembly, Piece]:
    """Read an answer that was not streamed."""
    assembly = Assembly(shows_thinking=shows_thinking)
    return assembly, assembly.take(reply) or Piece()


class _Call:
    """One tool call, in the making."""

    __slots__ = ("_name", "_parts", "_whole", "id", "index")

    def __init__(self, first: ToolCallDelta) -> None:
        self.index = first.index
        self.id = _text(first.id)
        self._name = ""
        self._parts: list[str] = []
        self._whole: dict[str, Any] | None = None

    def is_continued_by(self, delta: ToolCallDelta) -> bool:
        """Say whether a fragment is another piece of this call."""
        given = _text(delta.id)
        begins = bool(delta.function and delta.function.name) and bool(given)
        if begins and self.id and given != self.id:
            return False  # one index for several calls: Gemini does that
        if delta.index is not None and self.index is not None:
            return delta.index == self.index
        if given:
            return given == self.id
        return not (delta.function and delta.function.name)

    def add(self, delta: ToolCallDelta) -> None:
        """Take a fragment. A name that is repeated is the same name; one that grows is joined."""
        self.id = self.id or _text(delta.id)
        function = delta.function
        if function is None:
            return
        if function.name and function.name != self._name:
            self._name += function.name
        if isinstance(function.arguments, dict):
            self._whole = function.arguments
        elif function.arguments:
            self._parts.append(function.arguments)

    def whole(self, place: int, salt: int) -> ReplyToolCall:
        """Give the finished call."""
        call_id = self.id or _invented_id(self._name, place, salt)
        return ReplyToolCall(call_id, ReplyFunction(place, self._name, self._arguments()))

    def _arguments(self) -> msgspec.Raw:
        if self._whole is not None:
            return msgspec.Raw(msgspec.json.encode(self._whole))
        text = "".join(self._parts).strip()
        if text in ("", "null"):
            return msgspec.Raw(b"{}")
        try:
            # The text is kept as it is, so integers of any length survive; on one line, for NDJSON.
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            return msgspec.Raw(msgspec.json.format(text, indent=-1).encode())
        except msgspec.DecodeError as error:
            raise AnswerUnusable(
                f'the backend returned invalid tool call arguments for "{self._name}": {error}'
            ) from None


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _invented_id(name: str, place: int, salt: int) -> str:
    """An id in Ollama's form for a server that gave none. Source: Ollama `routes.go:toolCallId`."""
    return "call_" + hashlib.blake2s(f"{salt}.{place}.{name}".encode(), digest_size=4).hexdigest()


def _from_parts(parts: list[Any]) -> tuple[str, str]:
    """Join a list of content parts (Mistral): (text, thinking)."""
    text: list[str] = []
    thinking: list[str] = []
    for part in parts:
        if not isinstance(part, dict):
            continue
        if part.get("type") == "thinking":
            thinking += [
                inner.get("text", "") for inner in part.get("thinking", []) if isinstance(inner, dict)
            ]
        elif isinstance(part.get("text"), str):
            text.append(part["text"])
    return "".join(text), "".join(thinking)
