"""Members of Ollama's own API in bodies that pass, as clients of Ollama send them on /v1, too. Pure.

An Ollama gets them as they are. Others refuse what they do not know, so what means something there is put
into their members, and the rest is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from backends.wire.dialect import Dialect
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest
from gateway.raw_forms import (
    CHAT,
    COMPLETIONS,
    LIMITS,
    MESSAGES,
    NULL,
    RESPONSES,
    Fields,
    RawForm,
    encode_fields,
    encode_raw,
)
from gateway.translate.chat_completions import fit_body, keep_alive_fields, think_fields
from gateway.translate.options import check_options, wire_options
from gateway.translate.response_format import build_fields, parse_ollama_format

OTHER_NAMES: dict[str, frozenset[str]] = {
    "think": frozenset({"reasoning_effort", "reasoning", "thinking"}),
    "format": frozenset({"response_format"}),
}
"""Member -> members that say the same in a body that passes: what they say holds."""
NOT_SPOKEN = "a member of Ollama's own API, which this backend does not speak"
SWITCHES = (b"true", b"false")
Translate = Callable[[Any, Dialect], dict[str, Any]]


def translate_ollama_members(
    form: RawForm, fields: Fields, target: Dialect, names: Dialect, diagnostics: Diagnostics
) -> Fields:
    """Take Ollama's members out of a body, and put in what they mean there.

    `target` is the kind of backend: one that speaks Ollama's API gets them all. Options have the names that
    `names` gives them, the protocol's.
    """
    found = [name for name in fields if name in form.ollama_members and _is_ollamas(name, fields[name])]
    if not found or target.protocol == "ollama":
        return fields
    remaining = {name: value for name, value in fields.items() if name not in found}
    for name in found:
        made = _translate(
            form, name, _decode(fields[name]), remaining, names if name == "options" else target
        )
        new = _leave_out_repeats(made, remaining)
        if new:
            diagnostics.note_changed(name, ", ".join(new), "Ollama's member, as this backend has it")
        else:
            diagnostics.note_dropped(name, NOT_SPOKEN)
        remaining |= encode_fields(new)
    return remaining


def _is_ollamas(name: str, value: msgspec.Raw) -> bool:
    """Tell Ollama's `truncate`, a switch, from that of others, which is a word."""
    return name != "truncate" or bytes(value) in SWITCHES


def _leave_out_repeats(made: dict[str, Any], present: Fields) -> dict[str, Any]:
    """Leave out what the client said in the API's own members, under either name of the limit."""
    names = {name for name, value in present.items() if value != NULL}
    if names & LIMITS:
        names |= LIMITS
    return {name: value for name, value in made.items() if name not in names}


def _translate(form: RawForm, name: str, value: Any, present: Fields, dialect: Dialect) -> dict[str, Any]:
    """Give the members that say the same there; none, where nothing does, or it is said already."""
    translate = TRANSLATED.get(form.name, {}).get(name)
    if translate is None or value is None or not OTHER_NAMES.get(name, frozenset()).isdisjoint(present):
        return {}
    try:
        return translate(value, dialect)
    except BadRequest:
        return {}


def _translate_think(value: Any, dialect: Dialect) -> dict[str, Any]:
    return think_fields(value, dialect) if isinstance(value, bool | str) else {}


def _translate_format(value: Any, dialect: Dialect) -> dict[str, Any]:
    form = parse_ollama_format(encode_raw(value))
    return build_fields(form, dialect) if form is not None else {}


def _translate_options(value: Any, dialect: Dialect) -> dict[str, Any]:
    """Give the options that are of their type: Ollama's /v1 refuses none, as it reads none."""
    checked: dict[str, Any] = {}
    for name, option in value.items() if isinstance(value, dict) else ():
        with suppress(BadRequest):
            checked |= check_options({name: option})
    return fit_body(wire_options(checked, dialect), None, dialect, SILENT) if checked else {}


def _translate_keep_alive(value: Any, dialect: Dialect) -> dict[str, Any]:
    return keep_alive_fields(value, dialect)


TRANSLATED: dict[str, dict[str, Translate]] = {
    CHAT.name: {
        "options": _translate_options,
        "think": _translate_think,
        "format": _translate_format,
        "keep_alive": _translate_keep_alive,
    },
    COMPLETIONS.name: {
        "options": _translate_options,
        "format": _translate_format,
        "keep_alive": _translate_keep_alive,
    },
    MESSAGES.name: {"options": _translate_options},
    RESPONSES.name: {"options": _translate_options},
}
"""Protocol -> what translates a member there."""


def _decode(value: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
