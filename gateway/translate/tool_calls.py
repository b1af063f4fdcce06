"""Tool calls in the making: fragments in, whole calls out. Pure.

Fragments say which call they belong to in every way but one: by index, by id, by name, or not at all. What a
fragment costs does not depend on how many came before it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from backends.wire.openai_types import FunctionDelta, ToolCallDelta
from gateway.answer import AnswerFunction, AnswerToolCall
from gateway.errors import AnswerUnusable
from gateway.translate.tool_arguments import Arguments

NO_FUNCTION = FunctionDelta()
MOST_CALLS = 1000
"""Of one answer. Models call a few functions at a time, and some dozens when they are eager."""
MOST_FRAGMENTS = 250_000
"""Of one answer, in all its calls: a fragment is a token or more."""
LONGEST_NAME = 4096
"""Characters of a function's name, which may come in pieces, too. OpenAI takes 64."""


class Calls:
    """The calls of one answer, in the order in which they began."""

    __slots__ = ("_by_id", "_by_index", "_by_name", "_calls", "_fragments", "_unnumbered")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._fragments = 0
        # The latest call of each kind: whatever a fragment says, it goes on with one of these.
        self._by_index: dict[int | None, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._by_name: dict[str, _Call] = {}
        """Of those without an index."""
        self._unnumbered: _Call | None = None

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, delta: ToolCallDelta) -> int:
        """Take a fragment; give the place of its call.

        Raises:
            AnswerUnusable: there are more than anybody could mean.
        """
        self._fragments += 1
        if self._fragments > MOST_FRAGMENTS:
            raise AnswerUnusable(f"the backend sent tool calls in more than {MOST_FRAGMENTS} pieces")
        function = delta.function
        if function is not None and not function.name and not delta.id and self._unnumbered is None:
            usual = self._by_index.get(delta.index)  # the usual way: more text for a place, and no more
            if usual is not None:
                usual.extra = delta.extra_content or usual.extra
                usual.arguments.add(function.arguments)
                return usual.place
        call = self._find_continued_call(delta) or self._begin_call()
        call.add(delta)
        self._note(call)
        return call.place

    def _find_continued_call(self, delta: ToolCallDelta) -> _Call | None:
        """Find the latest call that a fragment is another piece of."""
        found = {call.place: call for call in self._candidates(delta) if call is not None}
        latest_first = (found[place] for place in sorted(found, reverse=True))
        return next((call for call in latest_first if call.is_continued_by(delta)), None)

    def _candidates(self, delta: ToolCallDelta) -> tuple[_Call | None, ...]:
        given = _text(delta.id)
        name = delta.function.name if delta.function is not None else None
        by_id = self._by_id.get(given) if given else None
        if delta.index is not None:
            return self._by_index.get(delta.index), self._unnumbered, by_id
        if given:
            return (by_id,)
        return (self._by_name.get(name) if name else self._calls[-1] if self._calls else None,)

    def _begin_call(self) -> _Call:
        if len(self._calls) == MOST_CALLS:
            raise AnswerUnusable(f"the backend sent more than {MOST_CALLS} tool calls in one answer")
        call = _Call(len(self._calls))
        self._calls.append(call)
        return call

    def _note(self, call: _Call) -> None:
        """Keep in mind by what a call is found from now on."""
        if call.id:
            self._by_id[call.id] = self._later(call, self._by_id.get(call.id))
        if call.index is not None:
            self._by_index[call.index] = self._later(call, self._by_index.get(call.index))
            return
        self._by_name[call.name] = self._later(call, self._by_name.get(call.name))
        self._unnumbered = self._later(call, self._unnumbered)

    def _later(self, call: _Call, other: _Call | None) -> _Call:
        return other if other is not None and other.place > call.place else call

    def whole(self, salt: int, *, is_cut: bool) -> tuple[AnswerToolCall, ...]:
        """Give the calls, whole. `is_cut`: the answer hit its limit, so a call that broke off is left out.

        Raises:
            AnswerUnusable: a call's arguments are no JSON object, for no reason.
        """
        calls: list[AnswerToolCall] = []
        ids: set[str] = set()
        for call in self._calls:
            try:
                arguments = call.arguments.raw(call.name)
            except AnswerUnusable:
                if is_cut:
                    continue
                raise
            place = len(calls)
            # Some servers give all calls one id, and results find their calls by it.
            call_id = call.id if call.id and call.id not in ids else make_id(call.name, place, salt)
            ids.add(call_id)
            calls.append(AnswerToolCall(call_id, AnswerFunction(place, call.name, arguments)))
        return tuple(calls)

    def extras(self) -> list[Any]:
        """Give what the backend gave along with each call that can be given whole."""
        return [call.extra for call in self._calls if call.arguments.is_whole()]


class _Call:
    """One tool call."""

    __slots__ = ("_is_new", "arguments", "extra", "id", "index", "name", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.index: int | None = None
        self.id = ""
        self.name = ""
        self.extra: Any = None
        self.arguments = Arguments()
        self._is_new = True

    def is_continued_by(self, delta: ToolCallDelta) -> bool:
        """Say whether a fragment is another piece of this call."""
        given, function = _text(delta.id), delta.function or NO_FUNCTION
        if function.name:
            if function.arguments and self.arguments.is_complete():
                # Another call, whatever it says of its index: Gemini does that.
                return self._is_said_again(delta, function)
            if given and self.id and given != self.id and not self._is_more_of(delta, function):
                return False
        if delta.index is not None and self.index is not None:
            return delta.index == self.index
        if given:
            return given == self.id
        return not function.name or self._is_more_of(delta, function)

    def add(self, delta: ToolCallDelta) -> None:
        """Take a fragment. A name that is repeated is the same name; one that grows is joined."""
        if self._is_new:
            self._is_new, self.index = False, delta.index
        self.id = self.id or _text(delta.id)
        self.extra = delta.extra_content or self.extra
        function = delta.function or NO_FUNCTION
        if function.name and function.name != self.name:
            self.name += function.name
            if len(self.name) > LONGEST_NAME:
                raise AnswerUnusable("the backend called a function by a name without end")
        self.arguments.add(function.arguments)

    def _is_said_again(self, delta: ToolCallDelta, function: FunctionDelta) -> bool:
        """Whether a fragment is this call once more: all of it, or with what an empty object stood for."""
        given = _text(delta.id)
        if function.name != self.name or given != self.id or (not given and delta.index is None):
            return False
        return self.arguments.is_repeated_by(function.arguments) if given else self.arguments.is_empty()

    def _is_more_of(self, delta: ToolCallDelta, function: FunctionDelta) -> bool:
        """Whether a fragment repeats place and name of this call, whose arguments have only begun."""
        is_same = delta.index == self.index and function.name == self.name
        return is_same and self.arguments.is_begun and not self.arguments.is_complete()


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def make_id(name: str, place: int, salt: int) -> str:
    """An id in Ollama's form for a server that gave none. Source: Ollama `routes.go:toolCallId`."""
    return "call_" + hashlib.blake2s(f"{salt}.{place}.{name}".encode(), digest_size=4).hexdigest()
