"""Keys taken out of texts because they are known, whatever they look like. Pure.

A backend may repeat a key as it came, or as it stood in a URL, in a JSON string or in `Authorization: Basic`,
whole or cut. `error_text.clean` looks for what merely looks like a key, as a second net.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
LEAST_ANYWHERE = 8
"""A shorter key may be a word, such as `EMPTY`: it is taken out where it stands by itself."""
LEAST_AT_ALL = 3
LEAST_IN_DATA = 12
"""Whole answers are searched for keys that no word of an answer is."""
PIECE = 12
"""Of a key that is cut, so much of its beginning or end is taken out."""
LEAST_CUT = 24

Hide = Callable[[str], str]

_ESCAPE = re.compile(r"\\u00([2-7][0-9A-Fa-f])")


def as_it_is(text: str) -> str:
    """Hide nothing."""
    return text


class Redactor:
    """Takes some keys out of texts and bytes. It holds them, so it has no repr worth printing."""

    __slots__ = ("_data", "_pattern")

    def __init__(self, secrets: tuple[str, ...]) -> None:
        parts = sorted({part for secret in secrets for part in _patterns(secret)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(parts), re.IGNORECASE) if parts else None
        known = {form for secret in secrets if len(secret) >= LEAST_IN_DATA for form in _in_json(secret)}
        self._data = tuple(form.encode() for form in known)

    def text(self, text: str) -> str:
        """Take every form of the keys out of an error's text."""
        if self._pattern is None:
            return text
        if "\\u00" in text:
            plain = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
            if self._pattern.search(plain) and not self._pattern.search(text):
                text = plain
        return self._pattern.sub(MARK, text)

    def data(self, data: bytes) -> bytes:
        """Take the keys, as they are, out of an answer: one search each."""
        for form in self._data:
            if form in data:
                data = data.replace(form, MARK.encode())
        return data


@lru_cache(maxsize=256)
def redactor_of(secrets: tuple[str, ...]) -> Redactor:
    """Give the redactor of a backend's keys."""
    return Redactor(secrets)


def _patterns(secret: str) -> Iterator[str]:
    """Give expressions for all forms of one key."""
    if len(secret) < LEAST_AT_ALL:
        return
    forms = {*_in_json(secret), quote(secret, safe=""), quote_plus(secret), quote(secret)}
    if len(secret) < LEAST_ANYWHERE:
        yield from (rf"(?<![0-9A-Za-z]){re.escape(form)}(?![0-9A-Za-z])" for form in forms)
        return
    yield from map(re.escape, forms)
    yield from map(re.escape, _in_base64(secret))
    if len(secret) >= LEAST_CUT:
        yield rf"{re.escape(secret[:PIECE])}[\w*.…-]*"
        yield rf"[\w*.…-]*{re.escape(secret[-PIECE:])}"


def _in_json(secret: str) -> set[str]:
    """Write it as servers do within a JSON string."""
    escaped = json.dumps(secret)[1:-1]
    return {secret, escaped, escaped.replace("/", "\\/")}


def _in_base64(secret: str) -> Iterator[str]:
    """Give what is always the same in base64 of a text that holds it, wherever it stands in that text."""
    raw = secret.encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        whole = encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
        yield whole
        yield whole.translate({43: "-", 47: "_"})
