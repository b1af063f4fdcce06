"""How many things one request may hold, whatever its size in bytes. Pure.

No client and no model has use for as many, and what is refused here would keep this process busy: turns,
tools and texts cost more than the bytes that they are written in. The sentences are those of the API that was
asked; Ollama has no such bounds, and so none for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

from gateway.errors import BadRequest

MOST_VALUES = 1_000_000
"""JSON values in a body that is decoded whole; a few more may pass."""
MOST_TURNS = 20_000
"""Messages of a conversation; also the items of a Responses input."""
MOST_PARTS = 20_000
"""Texts, images, results and calls inside of messages, in all."""
MOST_TOOLS = 2_000
MOST_TEXTS = 50_000
"""Texts to embed in one request."""

# Up to the next mark outside of strings, or to the end: behind a mark stands a value, or nothing. It matches
# wherever it begins, so that every byte is looked at once.
NEXT_MARK = re.compile(rb'(?:[^",\[{]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+(?:[,\[{]|\Z)', re.DOTALL)
AT_A_TIME = 20_000
"""Marks that are looked for in one go: between two, other threads have their turn."""

Words = Callable[[str, int, int], str]


def plainly(field: str, most: int, count: int) -> str:
    """Say it to a client of Ollama's API."""
    return f"too many {field}: at most {most} are taken, and these are {count}"


def as_openai(field: str, most: int, count: int) -> str:
    """Say it as OpenAI does."""
    return (
        f"Invalid '{field}': array too long. Expected an array with maximum length {most}, "
        f"but got an array with length {count} instead."
    )


def as_anthropic(field: str, most: int, count: int) -> str:
    """Say it as Anthropic does."""
    return f"{field}: List should have at most {most} items after validation, not {count}"


def check(field: str, most: int, count: int, words: Words = plainly) -> None:
    """Refuse a list that is too long. Raises `BadRequest`."""
    if count > most:
        raise BadRequest(words(field, most, count))


def check_each(*limits: tuple[str, int, int]) -> None:
    """Refuse the first list that is too long: (field, most, count). Raises `BadRequest`."""
    for field, most, count in limits:
        if count > most:
            raise BadRequest(plainly(field, most, count))


def check_values(body: bytes) -> None:
    """Refuse a body of too many values before any of them is made. Raises `BadRequest`."""
    if len(body) > MOST_VALUES and _has_too_many(body):  # a value is a byte at least
        raise BadRequest(f"the request holds more than {MOST_VALUES} JSON values")


def _has_too_many(body: bytes) -> bool:
    """Count the marks, and only if there are too many, find out how many of them stand outside of strings."""
    if sum(map(body.count, (b",", b"[", b"{"))) <= MOST_VALUES:
        return False
    marks = NEXT_MARK.finditer(body)
    for _ in range(0, MOST_VALUES + AT_A_TIME, AT_A_TIME):
        if sum(1 for _ in islice(marks, AT_A_TIME)) < AT_A_TIME:
            return False
    return True
