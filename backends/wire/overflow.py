"""From a refusal of a text that is too long to the lengths that it names. Pure.

Servers name them in sentences, each in its own words. Sources: what they answered, and their code.
"""

from __future__ import annotations

import re

import msgspec

LEAST = 16
"""Smaller numbers are indices, or what is left for a completion."""
_NUMBER = re.compile(
    r"(?<![\w.-])(\d[\d,]*) (?:[a-z]+ ){0,2}tokens?\b"
    r"|\b(?:size|length|limit|maximum|max|than|given|count|has|value|long)\b[^\d.;]{0,40}?(\d[\d,]*)",
    re.IGNORECASE,
)


class Lengths(msgspec.Struct, frozen=True):
    """What a refusal tells, usually in tokens."""

    given: int | None = None
    """How long the text was."""
    limit: int | None = None
    """How long it may be."""


def lengths(message: str) -> Lengths:
    """Read the lengths that a refusal names: what was given is more than what is taken."""
    found = [int((one or other).replace(",", "")) for one, other in _NUMBER.findall(message)]
    named = [number for number in found if number >= LEAST]
    if not named:
        return Lengths()
    limit, given = min(named), max(named)
    return Lengths(given if given > limit else None, limit)
