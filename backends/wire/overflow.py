"""Refusals of a text that is too long: how they are known, and the lengths that they name. Pure.

Servers say it in sentences, each in its own words. Sources: what they answered, and their code.
"""

from __future__ import annotations

import re

import msgspec

CODES = ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length")
"""The words for programs that servers put beside the sentence."""
# The only list of these sentences; one that is about the text, or about several in sum. Lower case.
_PHRASES = (
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
    "trying to keep the first",
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


def is_too_long(message: str) -> bool:
    """Say whether a refusal is about the length of what was sent."""
    lowered = message.lower()
    return any(phrase in lowered for phrase in _PHRASES)


def lengths(message: str) -> Lengths:
    """Read the lengths that a refusal names: what was given is more than what is taken."""
    found = [int((one or other).replace(",", "")) for one, other in _NUMBER.findall(message)]
    named = [number for number in found if number >= LEAST]
    if not named:
        return Lengths()
    limit, given = min(named), max(named)
    return Lengths(given if given > limit else None, limit)
