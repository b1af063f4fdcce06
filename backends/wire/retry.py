"""How long a backend asks to wait, in any of the forms that servers have for it. Pure."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 120
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Read Retry-After (seconds, a date, or a duration), or Azure's milliseconds; rounded up and bounded."""
    in_ms = _number(headers.get("retry-after-ms", "")) / 1000
    value = headers.get("Retry-After", "")
    waits = (in_ms, _number(value), _duration(value), _until(value))
    seconds = next((wait for wait in waits if math.isfinite(wait)), math.nan)
    if not math.isfinite(seconds):
        return None
    return min(MAX_RETRY_AFTER_S, max(0, math.ceil(seconds)))


def _duration(value: str) -> float:
    """Read a duration as Go writes it: 6m0s, 2m59.56s, 20ms."""
    found = _DURATION.fullmatch(value.strip()) if value.strip() else None
    if found is None:
        return math.nan
    parts = zip(found.groups(), (3600, 60, 1, 0.001), strict=True)
    return sum(float(number) * seconds for number, seconds in parts if number)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, TypeError):
        return math.nan
