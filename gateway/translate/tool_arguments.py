"""The arguments of one tool call: text in pieces, and whether it is an object by now. Pure.

Each character is looked at once, however many pieces come and however often somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from backends.wire.lenient import mend_surrogates
from gateway.errors import AnswerUnusable

NO_ARGUMENTS = ("", "null", "[]")
"""How servers write that there are none; the last is PHP's way."""
MOST_OBJECTS = 8
"""How often the arguments of one call may be repeated in its text."""
EMPTY_OBJECT = msgspec.Raw(b"{}")
MARK = re.compile(r'["{}\[\]]')
IN_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class Nesting:
    """Follows a JSON text to the end of its first object. What is no JSON is for the decoder to refuse."""

    __slots__ = ("_depth", "_held", "_is_in_string", "has_ended")

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._held = ""
        """A backslash at the end of a piece, whose character is in the next one."""
        self.has_ended = False

    def feed(self, text: str) -> int:
        """Take a piece. Give the place in it behind the object's end, or else behind all of it."""
        backslashes, self._held = len(self._held), ""
        text = "\\" * backslashes + text
        at = 0
        while at < len(text) and not self.has_ended:
            at = self._leave_string(text, at) if self._is_in_string else self._next_mark(text, at)
        return at - backslashes

    def _leave_string(self, text: str, at: int) -> int:
        found = IN_STRING.match(text, at)
        at = found.end() if found else at
        if text[at : at + 1] == "\\":
            self._held = "\\"
            return len(text)
        self._is_in_string = at == len(text)
        return at + 1

    def _next_mark(self, text: str, at: int) -> int:
        mark = MARK.search(text, at)
        if mark is None:
            return len(text)
        if mark[0] == '"':
            self._is_in_string = True
        else:
            self._depth += 1 if mark[0] in "{[" else -1
            self.has_ended = self._depth <= 0
        return mark.end()


class Arguments:
    """Arguments in the making."""

    __slots__ = ("_is_valid", "_nesting", "_parts", "_seen", "_whole")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._whole: dict[str, Any] = {}
        """What came as an object; text goes before it."""
        self._nesting = Nesting()
        self._seen = 0
        """How many of the parts the nesting has followed."""
        self._is_valid: bool | None = None
        """Whether the object that has ended is one; not known before somebody asks."""

    @property
    def is_begun(self) -> bool:
        """Whether any text came."""
        return bool(self._parts)

    def add(self, given: str | dict[str, Any] | None) -> None:
        """Take a piece of text, or all of it."""
        if isinstance(given, str):
            if self._is_valid and given and not given.isspace() and self._is_settled_by(given):
                return
            if given:
                self._parts.append(given)
        elif given is not None:
            self._whole = given

    def _is_settled_by(self, more: str) -> bool:
        """Take text behind an object that was whole. Say whether it adds nothing: it is the same again."""
        text = "".join(self._parts).strip()
        if more.strip() == text:
            return True
        self._is_valid = False  # and never will be again: something stands behind the object
        if text == "{}":  # some begin every call with it
            self._parts.clear()
            self._nesting, self._seen, self._is_valid = Nesting(), 0, None
        return False

    def is_complete(self) -> bool:
        """Whether an object is here, all of it, as far as can be seen."""
        if not self._parts:
            return bool(self._whole)
        if self._is_valid is None and self._has_ended():
            self._is_valid = self.is_whole()
        return bool(self._is_valid)

    def _has_ended(self) -> bool:
        while self._seen < len(self._parts) and not self._nesting.has_ended:
            self._nesting.feed(self._parts[self._seen])
            self._seen += 1
        return self._nesting.has_ended

    def is_whole(self) -> bool:
        """Whether they can be given."""
        try:
            self.raw("")
        except AnswerUnusable:
            return False
        return True

    def is_empty(self) -> bool:
        """Whether an object is here, and nothing in it: so some begin every call."""
        return self.is_complete() and self.raw("") == EMPTY_OBJECT

    def is_repeated_by(self, given: str | dict[str, Any] | None) -> bool:
        """Whether a piece is the whole object once more, or there is only an empty one before it."""
        if self.is_empty():
            return True
        other = Arguments()
        other.add(given)
        return other.is_complete() and other.raw("") == self.raw("")

    def raw(self, name: str) -> msgspec.Raw:
        """Give the finished arguments of the function `name`. Raises `AnswerUnusable`: they are no object."""
        text = mend_surrogates("".join(self._parts)).strip()
        try:
            if text.startswith('"'):  # JSON in JSON: some servers encode it twice
                text = msgspec.json.decode(text, type=str).strip()
            if text in NO_ARGUMENTS or (self._whole and text == "{}"):
                return msgspec.Raw(msgspec.json.encode(self._whole))
            try:
                return _object(text)
            except msgspec.DecodeError:
                return _the_one_object(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise AnswerUnusable(
                f'the backend returned invalid tool call arguments for "{name}": {error}'
            ) from None


def _object(text: str) -> msgspec.Raw:
    """Give an object on one line, for NDJSON, as it is: so integers of any length survive."""
    msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return msgspec.Raw(msgspec.json.format(text, indent=-1).encode())


def _the_one_object(text: str) -> msgspec.Raw:
    """Give the object that is sent several times, or behind empty ones. Raises `msgspec.DecodeError`."""
    found = EMPTY_OBJECT
    for decoded in map(_object, _objects_of(text)):
        if EMPTY_OBJECT not in (found, decoded) and found != decoded:
            raise msgspec.DecodeError("several objects, and they differ")
        found = decoded if decoded != EMPTY_OBJECT else found
    return found


def _objects_of(text: str) -> Iterator[str]:
    """Cut a text behind each of its objects, up to a bound: the last piece is the rest."""
    for _ in range(MOST_OBJECTS):
        end = Nesting().feed(text)
        yield text[:end]
        text = text[end:].lstrip()
        if not text:
            return
    yield text
