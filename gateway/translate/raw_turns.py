"""Turns of a chat completion that pass, brought into the form that a kind of backend takes. Pure.

Few bodies need it, which a look at roles and at how contents begin tells. Turns that are not touched stay the
bytes that they came as.
"""

from __future__ import annotations

import operator
from typing import Any

import msgspec

from backends.wire.dialect import Dialect
from gateway.diagnostics import Diagnostics
from gateway.translate.message_normalization import place_system_turns
from gateway.translate.system_turns import SYSTEM_ROLES
from gateway.translate.tool_results import bind_results, name_results

Turn = dict[str, Any]

NULL = msgspec.Raw(b"null")
NOTHING = (b"null", b"[]", b'""')
LIST, NONE = b"[n"
LOOKED_AT = 16
"""Bytes behind a name in which its value begins."""
SPEAKS_OTHERWISE = frozenset({"tool_calls", "function_call", "audio", "refusal"})
"""Members of an assistant's turn that may stand without content."""


class _Seen(msgspec.Struct):
    """What is looked at of a turn."""

    role: str = ""
    content: msgspec.Raw = NULL
    tool_call_id: msgspec.Raw = NULL
    tool_calls: msgspec.Raw = NULL
    function_call: msgspec.Raw = NULL
    audio: msgspec.Raw = NULL
    refusal: msgspec.Raw = NULL


_decode_seen = msgspec.json.Decoder(list[_Seen]).decode


def may_need_fitting(messages: msgspec.Raw, dialect: Dialect) -> bool:
    """Say whether a closer look at the turns is needed. An Ollama takes all of these forms."""
    try:
        turns = _decode_seen(messages)
    except (msgspec.DecodeError, RecursionError):
        return False  # they are the backend's to refuse
    if dialect.late_system_messages == "user" and _has_system_inside(turns):
        return True
    return dialect.protocol != "ollama" and any(_is_short(turn, dialect) for turn in turns)


def _has_system_inside(turns: list[_Seen]) -> bool:
    """Look for a system turn behind the first turn, which is one of the kind in most bodies."""
    return any(turn.role in SYSTEM_ROLES for turn in turns[1:])


def _is_short(turn: _Seen, dialect: Dialect) -> bool:
    """Say whether a turn has a form that others than Ollama refuse, or lacks what this kind wants."""
    kind = memoryview(turn.content)[0]
    if kind == LIST:
        return _is_followed(bytes(turn.content), b'"image_url"', b'"')
    if turn.role == "tool":
        return kind == NONE or dialect.names_tool_results or bytes(turn.tool_call_id) in NOTHING
    if kind != NONE or turn.role != "assistant":
        return False
    return all(
        bytes(value) in NOTHING for value in (turn.tool_calls, turn.function_call, turn.audio, turn.refusal)
    )


def _is_followed(data: bytes, name: bytes, value: bytes) -> bool:
    """Say whether a member of that name has a value that begins so. Images of megabytes cost little."""
    place = data.find(name)
    while place >= 0:
        end = place + len(name)
        if data[end : end + LOOKED_AT].lstrip(b" \t\r\n:").startswith(value):
            return True
        place = data.find(name, end)
    return False


def fit_raw_turns(turns: list[Any], dialect: Dialect, diagnostics: Diagnostics) -> list[Any]:
    """Fit turns. The same list comes back where nothing is to be done, or the backend has to refuse them."""
    try:
        decoded = [msgspec.json.decode(turn) if isinstance(turn, msgspec.Raw) else turn for turn in turns]
    except (msgspec.DecodeError, RecursionError):
        return turns
    if not all(isinstance(turn, dict) and isinstance(turn.get("role"), str) for turn in decoded):
        return turns
    made = _fit(decoded, dialect, diagnostics)
    if len(made) == len(turns) and all(one is before for one, before in zip(made, decoded, strict=True)):
        return turns
    as_they_came = {id(turn): raw for turn, raw in zip(decoded, turns, strict=True)}
    return [as_they_came.get(id(turn), turn) for turn in made]


def _fit(turns: list[Turn], dialect: Dialect, diagnostics: Diagnostics) -> list[Turn]:
    if dialect.protocol != "ollama":
        turns = bind_results(_spell_out(turns, diagnostics), diagnostics)
    if dialect.names_tool_results:
        turns = name_results(turns, diagnostics)
    if dialect.late_system_messages == "user":
        turns = place_system_turns(turns, dialect, diagnostics)
    return turns


def _spell_out(turns: list[Turn], diagnostics: Diagnostics) -> list[Turn]:
    """Put short forms that Ollama takes into those that OpenAI defines."""
    made = [_spell_out_content(turn) for turn in turns]
    if any(one is not turn for one, turn in zip(made, turns, strict=True)):
        diagnostics.note_changed("messages", "messages", "short forms, which Ollama takes, are spelled out")
    return made


def _spell_out_content(turn: Turn) -> Turn:
    """Give no content as an empty text, and the address of an image as an object."""
    content = turn.get("content")
    if content is None and turn["role"] in ("assistant", "tool"):
        has_more = any(turn.get(name) for name in SPEAKS_OTHERWISE)
        return turn if has_more else {**turn, "content": ""}
    if not isinstance(content, list):
        return turn
    parts = [_spell_out_image(part) for part in content]
    return turn if all(map(operator.is_, parts, content)) else {**turn, "content": parts}


def _spell_out_image(part: Any) -> Any:
    url = part.get("image_url") if isinstance(part, dict) else None
    return {**part, "image_url": {"url": url}} if isinstance(url, str) else part
