"""What every database keeps. The one check of it, for operators, files and clients alike. Pure.

Python's JSON knows infinity, zero bytes, half characters and any depth; PostgreSQL's does not, and JSON
that is nested deeper than calls may be cannot even be written.
"""

from __future__ import annotations

import math
import re
from typing import Any

DEEPEST = 32
UNKEEPABLE = re.compile("[\0\ud800-\udfff]")


def fault(value: Any) -> str:
    """Say why a value cannot be stored; empty if it can. Walks without recursion."""
    rest = [(value, 0)]
    while rest:
        inner, depth = rest.pop()
        if depth > DEEPEST:
            return "values nested as deeply as these cannot be stored"
        if isinstance(inner, dict):
            rest += [(item, depth + 1) for item in (*inner, *inner.values())]
        elif isinstance(inner, list):
            rest += [(item, depth + 1) for item in inner]
        elif isinstance(inner, float) and not math.isfinite(inner):
            return "a number is too large to be stored"
        elif isinstance(inner, str) and (found := UNKEEPABLE.search(inner)):
            kind = "a NUL" if found[0] == "\0" else "half a"
            return f"text with {kind} character cannot be stored"
    return ""


def is_storable(value: Any) -> bool:
    """Whether every database keeps a value."""
    return not fault(value)
