"""From a backend's error, in any of its many shapes, to a status and a sentence. Pure.

The sentence is fit for a client: bounded, one line, without URLs, keys or HTML.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

MAX_MESSAGE = 500
MAX_RETRY_AFTER_S = 120
DEFAULT_STATUS = 500

_SECRET = re.compile(
    r"\b(?:(?:sk|pk|gsk|org|proj|key)[-_]|Bearer +)[A-Za-z0-9_\-*.]{8,}|https?://\S+", re.IGNORECASE
)
# Where the sentence hides, first hit wins: OpenAI, flat shapes, FastAPI, API management fronts.
_PATHS = (
    ("error", "message"),
    ("error", "message", "detail"),
    ("error",),
    ("message",),
    ("message", "detail"),
    ("detail",),
    ("detail", 0, "msg"),
    ("fault", "faultstring"),
    ("msg",),
    ("err",),
    ("error_message",),
)

# How servers say that a text is too long, or that several are in sum; in lower case.
_TOO_LONG = (
    "context_length_exceeded",
    "maximum context length",
    "maximum input length",
    "model's context length",
    "model's context window",
    "exceed context limit",
    "exceeds the context length",
    "exceeds the available context size",
    "exceeds maximum allowed token",
    "exceeds the maximum number of tokens",
    "token count exceeds",
    "input tokens exceed",
    "exceeding max",
    "context the overflows",
    "`inputs` tokens + `max_new_tokens` must be",
    "`inputs` must have less than",
    "too large to process",
    "too many tokens",
    "tokens per request",
    "tokens per submitted batch",
    "prompt is too long",
    "input is too long",
    "string too long",
)


def is_too_long(message: str) -> bool:
    """Say whether a refusal is about the length of what was sent."""
    lowered = message.lower()
    return any(text in lowered for text in _TOO_LONG)


def message_of(body: bytes | str, fallback: str) -> str:
    """Find the sentence in an error body, or give `fallback`."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        found = _find(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        found = None if "<" in text[:64] else text.strip()
    return clean(found) if found else fallback


def message_of_error(error: Any, fallback: str) -> str:
    """Find the sentence in the `error` member of a stream event."""
    return clean(_find({"error": error}) or fallback)


def status_of_error(error: Any) -> int:
    """Read the status that an error event carries in `code` or `status`, as number or text; else 500."""
    if isinstance(error, Mapping):
        for name in ("code", "status", "http_status_code"):
            code = str(error.get(name, ""))
            if code.isdecimal() and 400 <= int(code) <= 599:
                return int(code)
    return DEFAULT_STATUS


def clean(text: str) -> str:
    """Redact, fold white space and bound."""
    folded = " ".join(_SECRET.sub("[redacted]", text).split())
    return folded if len(folded) <= MAX_MESSAGE else folded[: MAX_MESSAGE - 1] + "…"


def retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Read Retry-After (seconds, or a date), rounded up and bounded, or None."""
    value = headers.get("Retry-After", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value)
    if not math.isfinite(seconds):
        return None
    return min(MAX_RETRY_AFTER_S, max(0, math.ceil(seconds)))


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, TypeError):
        return math.nan


def _find(body: Any) -> str | None:
    if isinstance(body, list) and body:
        body = body[0]
    for path in _PATHS:
        found = _walk(body, path)
        if isinstance(found, str) and found.strip():
            return found
    return None


def _walk(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
