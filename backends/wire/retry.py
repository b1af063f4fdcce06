"""How long a backend asks to wait, wherever servers say so: in a header, in the body, in the sentence. Pure.

Sources: OpenAI's "Rate limits" (`x-ratelimit-reset-*`, "Please try again in 20s"), Azure (`retry-after-ms`),
Google's `RetryInfo.retryDelay`, Anthropic's `anthropic-ratelimit-*-reset`, OpenRouter's `metadata.headers`.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

MAX_RETRY_AFTER_S = 120
MOST_MEMBERS = 500
"""Members of a body that are looked at."""
DEEPEST = 8
LEAST_EPOCH_S = 10**9
"""A number from here on is a point in time, in seconds, or from here on in milliseconds:"""
LEAST_EPOCH_MS = 10**12
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "d": 86_400.0}
_SPAN = r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|d|days?|h|hours?|m|mins?|minutes?|s|secs?|seconds?)(?![a-z])"
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
_DURATION = re.compile(rf"(?:{_SPAN})+", re.IGNORECASE)
_PARTS = re.compile(_SPAN, re.IGNORECASE)
_SENTENCE = re.compile(
    rf"\b(?:try again|try your request again|retry|retrying|wait|resets?|available)\b[^\d\n]{{0,40}}?"
    rf"({_TIME}|(?:{_SPAN}[\s,]*(?:and\s+)?)+)",
    re.IGNORECASE,
)
# Members of a body, without case and joints -> what one of their number is in seconds.
_MEMBERS = {
    "retryafterms": 0.001,
    "retryaftermilliseconds": 0.001,
    "retrydelay": 1.0,
    "retryafter": 1.0,
    "retryafterseconds": 1.0,
    "retryaftersec": 1.0,
    "resetsinseconds": 1.0,
    "resetsat": 1.0,
}


def retry_after_s(headers: Mapping[str, str], error: Any = None, message: str = "") -> int | None:
    """Give what a backend asks to wait, rounded up and bounded, by its plainest word. None: it says nothing.

    `error`: the body as decoded, or its error; `message`: its sentence.
    """
    in_ms = _number(headers.get("retry-after-ms", "") or headers.get("x-ms-retry-after-ms", "")) / 1000
    waits = (in_ms, _wait(headers.get("Retry-After", "")), *_in_members(error), _in_sentence(message))
    return _clamp_wait(next((wait for wait in waits if math.isfinite(wait)), math.nan))


def reset_after_s(headers: Mapping[str, str], error: Any = None) -> int | None:
    """Give when a limit ends, as headers tell it in good answers too: it means something with 429 only."""
    found = list(_resets(headers.items()))
    for members in _objects(error):
        found += _resets(members.items())
    used_up = [wait for wait, is_used_up in found if is_used_up]
    waits = [wait for wait, _ in found]
    return _clamp_wait(max(used_up) if used_up else min(waits, default=math.nan))


def _clamp_wait(seconds: float) -> int | None:
    return min(MAX_RETRY_AFTER_S, max(0, math.ceil(seconds))) if math.isfinite(seconds) else None


def _resets(members: Iterable[tuple[Any, Any]]) -> Iterator[tuple[float, bool]]:
    """Give the wait until each limit ends, and whether it is the one that is used up."""
    named = {str(name).lower(): value for name, value in members}
    for name, value in named.items():
        if "ratelimit" in name and "reset" in name and math.isfinite(wait := _wait(value)):
            yield wait, str(named.get(name.replace("reset", "remaining"), "")).strip() == "0"


def _in_members(error: Any) -> Iterator[float]:
    for members in _objects(error):
        for name, value in members.items():
            unit = _MEMBERS.get(str(name).lower().replace("-", "").replace("_", ""))
            if unit is not None:
                yield _wait(value) if unit == 1 else _number(value) * unit


def _objects(value: Any) -> Iterator[dict[Any, Any]]:
    """Give the objects of a body, the outer ones first, as many and as deep as may be looked at."""
    level = [value]
    for _ in range(DEEPEST):
        yield from (item for item in level if isinstance(item, dict))
        inner = (list(item.values()) if isinstance(item, dict) else item for item in level)
        below = (member for items in inner if isinstance(items, list) for member in items)
        level = list(islice(below, MOST_MEMBERS))


def _in_sentence(message: str) -> float:
    """Read "try again in 2s" and its like."""
    found = _SENTENCE.search(message)
    if found is None:
        return math.nan
    moment = _moment(found[1])
    return moment if math.isfinite(moment) else _sum(found[1])


def _wait(value: Any) -> float:
    """Read seconds, a point in time, or a duration, as text or number; Google's duration may be an object."""
    if isinstance(value, dict):
        return _number(value.get("seconds"))
    number = _number(value)
    if not math.isnan(number):
        return _until_epoch(number)
    text = value.strip() if isinstance(value, str) else ""
    return _sum(text) if _DURATION.fullmatch(text) else _moment(text)


def _until_epoch(number: float) -> float:
    if number < LEAST_EPOCH_S or math.isinf(number):
        return number
    return (number / 1000 if number >= LEAST_EPOCH_MS else number) - time.time()


def _sum(text: str) -> float:
    """Add up a duration: 6m0s, 20ms as Go writes them, "1 minute and 2.5 seconds"."""
    return sum(
        float(number) * _UNITS["ms" if unit.lower().startswith(("ms", "mil")) else unit[0].lower()]
        for number, unit in _PARTS.findall(text)
    )


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        return math.nan


def _moment(date: str) -> float:
    """Read a date as HTTP or RFC 3339 writes it; without a zone it is UTC."""
    text = date.strip().removesuffix("UTC").rstrip()
    try:
        moment = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return math.nan
