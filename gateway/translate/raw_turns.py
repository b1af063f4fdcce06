"""Turns of a chat completion that pass, brought into the form that a kind of backend takes. Pure.

Few bodies need it, which is told by their bytes, before anything is decoded. Turns that are not touched stay
the bytes that they came as.
"""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.dialect import Dialect
from gateway.diagnostics import Diagnostics
from gateway.translate.message_normalization import place_system_turns

SYSTEM = (b'"system"', b'"developer"')


def may_need_fitting(messages: bytes, dialect: Dialect) -> bool:
    """Say whether a closer look at the turns is needed."""
    return dialect.late_system_messages == "user" and _has_system_inside(messages)


def _has_system_inside(messages: bytes) -> bool:
    """Look for a system turn behind the first turn, which is one of the kind in most bodies."""
    if SYSTEM[1] in messages:
        return True
    place = messages.find(SYSTEM[0])
    is_behind = messages.find(b"}", 0, max(place, 0)) >= 0
    return place >= 0 and (is_behind or messages.find(SYSTEM[0], place + 1) >= 0)


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


def _fit(turns: list[dict[str, Any]], dialect: Dialect, diagnostics: Diagnostics) -> list[dict[str, Any]]:
    if dialect.late_system_messages == "user":
        turns = place_system_turns(turns, dialect, diagnostics)
    return turns
