"""JSON and time as Ollama writes them. Pure.

The separators U+2028, U+2029 and U+0085 leave escaped: the official Python client splits our lines with a
routine that takes them for line ends. Source: ollama-python `_client.py`, which uses httpx `iter_lines`.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from gateway.errors import Failure

_encode = msgspec.json.encode
_ESCAPES = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))

_second = -1
_stamp = ""


def to_json(value: Any) -> bytes:
    """Encode compactly, on one line for every reader."""
    encoded = _encode(value)
    if not encoded.isascii():
        for separator, escape in _ESCAPES:
            if separator in encoded:
                encoded = encoded.replace(separator, escape)
    return encoded


def error_line(failure: Failure) -> bytes:
    """Tell a failure after the first byte: the last line of an NDJSON stream."""
    return to_json({"error": failure.message}) + b"\n"


def rfc3339(unix_ns: int) -> str:
    """Write a time in UTC with up to nine fractional digits, as Go's RFC3339Nano does."""
    global _second, _stamp  # the whole second is written once, not once a chunk
    second, fraction = divmod(unix_ns, 1_000_000_000)
    if second != _second:
        _second, _stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{_stamp}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"
