"""Error bodies that a server compressed although it was asked not to. Pure."""

from __future__ import annotations

import zlib

_ANY_FORM = 47
"""zlib's window bits: the largest window, with gzip's header or zlib's."""
_BARE = -15
"""The same without a header, as some servers write `deflate`."""
CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


def decompress(data: bytes, coding: str, most: int) -> bytes:
    """Give at most `most` bytes of what was compressed; nothing if it is damaged or its form is unknown."""
    if coding.strip().lower() not in CODINGS:
        return b""
    return _inflate(data, _ANY_FORM, most) or _inflate(data, _BARE, most)


def _inflate(data: bytes, form: int, most: int) -> bytes:
    reader = zlib.decompressobj(form)
    try:
        found = reader.decompress(data, most)
    except zlib.error:
        return b""
    is_whole = reader.eof or bool(reader.unconsumed_tail)  # the latter: there is more than was asked for
    return found if is_whole else b""
