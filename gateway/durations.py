"""`keep_alive`: how long a model stays loaded, as Ollama's clients write it. Pure."""

from __future__ import annotations

import math
import re
from typing import Any

from gateway.errors import BadRequest

LONGEST_NS = 2**63 - 1
"""Go's durations count nanoseconds in 64 bits. Ollama writes "for ever" so: 2562047h47m16.854775807s."""
LONGEST_S = LONGEST_NS / 1e9
LONGEST_TEXT = 1000
"""Characters. Go has no limit, but reading megabytes of it would block the process."""
DURATION = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def keep_alive_s(value: Any) -> float | None:
    """Read `keep_alive`: a number of seconds, or a Go duration. Negative is for ever (infinity).

    None when absent. Raises `BadRequest` with Go's words. Source: Ollama `api/types.go:Duration`.
    """
    if value is None:
        return None
    if isinstance(value, str):
        nanoseconds = parse_go_duration(value)
        return nanoseconds / 1e9 if 0 <= nanoseconds < LONGEST_NS else math.inf
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 <= value < LONGEST_S else math.inf
    kinds = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
    raise BadRequest(f"Unsupported type: '{kinds.get(type(value), 'nil')}'")


def parse_go_duration(text: str) -> int:
    """Read a Go duration such as 1h30m, in nanoseconds, exactly. Source: Go `time.ParseDuration`."""
    if len(text) > LONGEST_TEXT:
        raise _invalid(text[:LONGEST_TEXT])
    at = 1 if text[:1] in ("-", "+") else 0
    if text[at:] == "0":
        return 0
    if at == len(text):
        raise _invalid(text)
    total = 0
    while at < len(text):
        part = DURATION.match(text, at)
        if part is None or not (part[1] or part[2]):
            raise _invalid(text)
        total += _read_part(part, text)
        at = part.end()
    limit = LONGEST_NS + 1 if text.startswith("-") else LONGEST_NS
    if total > limit:
        raise _invalid(text)
    return -total if text.startswith("-") else total


def _read_part(part: re.Match[str], text: str) -> int:
    """Read one number with its unit, in nanoseconds. Go cuts what is less, and so do we."""
    whole, fraction, unit = part[1] or "0", part[2] or "", part[3]
    if unit not in UNITS_NS:
        problem = f"unknown unit {_quote(unit)}" if unit else "missing unit"
        raise BadRequest(f"time: {problem} in duration {_quote(text)}")
    scale = UNITS_NS[unit]
    found = int(whole) * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)
    if found > LONGEST_NS + 1:
        raise _invalid(text)
    return found


def _invalid(text: str) -> BadRequest:
    return BadRequest(f"time: invalid duration {_quote(text)}")


def _quote(text: str) -> str:
    """Quote as Go's package `time` does: what is no printable ASCII byte by byte."""
    return '"' + "".join(map(_quote_letter, text)) + '"'


def _quote_letter(letter: str) -> str:
    if letter < " " or letter >= "\x80":
        return "".join(f"\\x{byte:02x}" for byte in letter.encode(errors="replace"))
    return f"\\{letter}" if letter in '"\\' else letter
