"""Tool calls of OpenAI's chats, completed: ids, numbers, and arguments as text. Pure.

Source: OpenAI API reference, "Chat completions", `tool_calls`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.openai_types import ToolCallDelta
from gateway.raw_forms import NULL, Fields, encode_raw
from gateway.translate.assembly import Assembly
from gateway.translate.tool_arguments import NO_ARGUMENTS
from gateway.translate.tool_calls import make_id

EMPTY_TEXT, NO_OBJECT, FUNCTION = encode_raw(""), encode_raw("{}"), encode_raw("function")
NOTHING = (NULL, EMPTY_TEXT)
_decode_object = msgspec.json.Decoder(Fields | None).decode


def complete_call(call: Fields, place: int, salt: int) -> Fields:
    """Complete a whole call. `salt`, such as the time, makes invented ids differ."""
    function = _decode_object(call.get("function", NULL)) or {}
    arguments = _as_text(function.get("arguments", NULL))
    if arguments in NOTHING or msgspec.json.decode(arguments) in NO_ARGUMENTS:
        arguments = NO_OBJECT
    return _name(call, function, place, salt) | {"function": encode_raw({**function, "arguments": arguments})}


def _name(call: Fields, function: Fields, place: int, salt: int) -> Fields:
    """Give a call an id and a type, where it has none."""
    named = dict(call)
    if named.get("id", NULL) in NOTHING:
        named["id"] = encode_raw(make_id(bytes(function.get("name", NULL)).decode(), place, salt))
    if named.get("type", NULL) in NOTHING:
        named["type"] = FUNCTION
    return named


def _as_text(arguments: msgspec.Raw) -> msgspec.Raw:
    """Make text of arguments that came as an object, which keep their bytes."""
    if bytes(memoryview(arguments)[:1]) in (b'"', b"n"):
        return arguments
    return encode_raw(bytes(arguments).decode())


class CallNumbers:
    """The calls of one stream, numbered as the assembly tells them apart.

    Attributes:
        has_calls: whether one has begun.
    """

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._begun: set[int] = set()
        self._without_arguments: set[int] = set()
        self.has_calls = False

    def number(self, calls: list[Fields], read: list[ToolCallDelta], salt: int) -> list[Fields]:
        """Complete the fragments of one chunk, which the assembly has taken."""
        places = self._assembly.call_places
        if len(calls) != len(places):
            return calls
        self.has_calls = True
        return [
            self._complete(call, delta, place, salt)
            for call, delta, place in zip(calls, read, places, strict=True)
        ]

    def _complete(self, call: Fields, read: ToolCallDelta, place: int, salt: int) -> Fields:
        numbered = {**call, "index": encode_raw(place)}
        function = _decode_object(call.get("function", NULL)) or {}
        is_new = place not in self._begun
        if is_new:
            self._begun.add(place)
            self._without_arguments.add(place)
            numbered = _name(numbered, function, place, salt)
        given = _as_text(function.get("arguments", NULL))
        if given not in NOTHING:
            self._without_arguments.discard(place)
        if "function" in call or is_new:
            function["arguments"] = EMPTY_TEXT if given == NULL else given
            numbered["function"] = encode_raw(function)
        return numbered

    def end(self, *, is_cut: bool) -> list[dict[str, Any]]:
        """Give fragments with the arguments of calls that have none, once. One that a limit cut gets none."""
        missing = [] if is_cut else sorted(self._without_arguments)
        self._without_arguments.clear()
        return [{"index": place, "function": {"arguments": "{}"}} for place in missing]

    def has_begun_in(self, delta: msgspec.Raw, calls: list[dict[str, Any]]) -> bool:
        """Whether one of these calls is in this very chunk."""
        fragments = (_decode_object(delta) or {}).get("tool_calls", NULL)
        fragments_read = msgspec.json.decode(fragments) or []
        return bool({one["index"] for one in fragments_read} & {one["index"] for one in calls})
