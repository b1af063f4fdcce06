"""`keep_alive`: how long a model stays loaded, as Ollama's clients write it. Pure."""

from __future__ import annotations

import math
import re
from typing import Any

from gateway.errors import BadRequest

LONGEST_S = 2.0**63 / 1e9
"""Go's durations count nanoseconds in 64 bits."""
LONGEST_TEXT = 1000
"""Characters. Go has no limit, but reading megabytes of it would block the process."""
DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([^0-9.]*)")
UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def keep_alive_s(value: Any) -> float | None:
    """Read `keep_alive`: a number of seconds, or a Go duration. Negative is for ever (infinity).

    None when absent. Raises `BadRequest` with Go's words. Source: Ollama `api/types.go:Duration`.
    """
    if value is None:
        return None
    if isinstance(value, str):
        seconds = _go_duration(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if 0 <= value < LONGEST_S else math.inf
    else:
        kinds = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
        raise BadRequest(f"Unsupported type: '{kinds.get(type(value), 'nil')}'")
    return math.inf if seconds < 0 else seconds


def _go_duration(text: str) -> float:
    """Read a Go duration such as 1h30m. Source: Go `time.ParseDuration`."""
    if len(text) > LONGEST_TEXT:
        raise BadRequest(f'time: invalid duration "{text[:LONGEST_TEXT]}"')
    at = 1 if text[:1] in ("-", "+") else 0
    if text[at:] == "0":
        return 0.0
    if at == len(text):
        raise BadRequest(f'time: invalid duration "{text}"')
    seconds = 0.0
    while at < len(text):
        part = DURATION.match(text, at)
        if part is None:
            raise BadRequest(f'time: invalid duration "{text}"')
        number, unit = part.groups()
        if unit not in UNITS_S:
            problem = f'unknown unit "{unit}"' if unit else "missing unit"
            raise BadRequest(f'time: {problem} in duration "{text}"')
        seconds += float(number) * UNITS_S[unit]
        if seconds >= LONGEST_S:
            raise BadRequest(f'time: invalid duration "{text}"')
        at = part.end()
    return -seconds if text.startswith("-") else seconds
