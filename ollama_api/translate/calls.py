"""Tool calls in the making: fragments in, whole calls out. Pure.

Fragments say which call they belong to in every way but one: by index, by id, by name, or not at all.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from backends.wire.lenient import mended
from backends.wire.openai import FunctionDelta, ToolCallDelta
from ollama_api.errors import AnswerUnusable
from ollama_api.types import ReplyFunction, ReplyToolCall

NO_FUNCTION = FunctionDelta()
NO_ARGUMENTS = ("", "null", "[]")
"""How servers write that there are none; the last is PHP's way."""


class Calls:
    """The calls of one answer, in the order in which they began."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, delta: ToolCallDelta) -> None:
        """Take a fragment."""
        for call in reversed(self._calls):
            if call.is_continued_by(delta):
                call.add(delta)
                return
        self._calls.append(_Call(delta))

    def whole(self, salt: int, *, is_cut: bool) -> tuple[ReplyToolCall, ...]:
        """Give the calls, whole. `is_cut`: the answer hit its limit, so a call that broke off is left out.

        Raises:
            AnswerUnusable: a call's arguments are no JSON object, for no reason.
        """
        calls: list[ReplyToolCall] = []
        ids: set[str] = set()
        for call in self._calls:
            try:
                arguments = call.arguments()
            except AnswerUnusable:
                if is_cut:
                    continue
                raise
            place = len(calls)
            # Some servers give all calls one id, and results find their calls by it.
            call_id = call.id if call.id and call.id not in ids else _invented_id(call.name, place, salt)
            ids.add(call_id)
            calls.append(ReplyToolCall(call_id, ReplyFunction(place, call.name, arguments)))
        return tuple(calls)

    def extras(self) -> list[Any]:
        """Give what the backend gave along with each call that can be given whole."""
        return [call.extra for call in self._calls if call.is_whole()]


class _Call:
    """One tool call."""

    __slots__ = ("_parts", "_whole", "extra", "id", "index", "name")

    def __init__(self, first: ToolCallDelta) -> None:
        self.index = first.index
        self.id = ""
        self.name = ""
        self.extra: Any = None
        self._parts: list[str] = []
        self._whole: dict[str, Any] = {}
        self.add(first)

    def is_continued_by(self, delta: ToolCallDelta) -> bool:
        """Say whether a fragment is another piece of this call."""
        given, function = _text(delta.id), delta.function or NO_FUNCTION
        if function.name:
            if function.arguments and self._is_complete():
                return False  # another call, whatever it says of its index: Gemini does that
            if given and self.id and given != self.id and not self._is_more_of(delta, function):
                return False
        if delta.index is not None and self.index is not None:
            return delta.index == self.index
        if given:
            return given == self.id
        return not function.name or self._is_more_of(delta, function)

    def add(self, delta: ToolCallDelta) -> None:
        """Take a fragment. A name that is repeated is the same name; one that grows is joined."""
        self.id = self.id or _text(delta.id)
        self.extra = delta.extra_content or self.extra
        function = delta.function or NO_FUNCTION
        if function.name and function.name != self.name:
            self.name += function.name
        if isinstance(function.arguments, dict):
            self._whole = function.arguments
        elif function.arguments:
            self._parts.append(function.arguments)

    def arguments(self) -> msgspec.Raw:
        """Give the finished arguments. Raises `AnswerUnusable` if they are no JSON object."""
        text = mended("".join(self._parts)).strip()
        try:
            if text.startswith('"'):  # JSON in JSON: some servers encode it twice
                text = msgspec.json.decode(text, type=str).strip()
            if text in NO_ARGUMENTS:
                return msgspec.Raw(msgspec.json.encode(self._whole))
            # The text is kept as it is, so integers of any length survive; on one line, for NDJSON.
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            return msgspec.Raw(msgspec.json.format(text, indent=-1).encode())
        except (msgspec.DecodeError, RecursionError) as error:
            raise AnswerUnusable(
                f'the backend returned invalid tool call arguments for "{self.name}": {error}'
            ) from None

    def _is_complete(self) -> bool:
        """Whether all arguments are here, as far as can be seen."""
        if not self._parts:
            return bool(self._whole)
        if not self._parts[-1].rstrip().endswith("}"):
            return False  # seen without putting all of it together, for there may be thousands of parts
        return self.is_whole()

    def is_whole(self) -> bool:
        """Whether the arguments are a JSON object."""
        try:
            self.arguments()
        except AnswerUnusable:
            return False
        return True

    def _is_more_of(self, delta: ToolCallDelta, function: FunctionDelta) -> bool:
        """Whether a fragment repeats place and name of this call, whose arguments have only begun."""
        is_same = delta.index == self.index and function.name == self.name
        return is_same and bool(self._parts) and not self._is_complete()


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _invented_id(name: str, place: int, salt: int) -> str:
    """An id in Ollama's form for a server that gave none. Source: Ollama `routes.go:toolCallId`."""
    return "call_" + hashlib.blake2s(f"{salt}.{place}.{name}".encode(), digest_size=4).hexdigest()
