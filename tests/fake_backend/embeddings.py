"""Embeddings that depend on the text and nothing else, and are not of length one."""

import base64
import hashlib
import struct
from typing import Any

from .records import Json, Request

DIMENSIONS = 8
_ENCODINGS = (None, "float", "base64")


class BadInput(Exception):
    """The request cannot be embedded; the text is for the error body."""


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Derive a vector from a text. Its numbers are exact in 32 bits, so floats and base64 agree."""
    digest = hashlib.shake_256(text.encode()).digest(dimensions)
    return [(byte - 127.5) / 32 for byte in digest]


def embed(request: Request) -> Json:
    """Answer a request for embeddings.

    Raises:
        BadInput: no input, or an unknown encoding.
    """
    inputs = _inputs(request.json.get("input"))
    encoding = request.json.get("encoding_format")
    if encoding not in _ENCODINGS:
        raise BadInput(f"unknown encoding_format: {encoding!r}")
    dimensions = request.json.get("dimensions") or DIMENSIONS
    vectors = [vector(text, dimensions) for text in inputs]
    tokens = sum(len(text.split()) for text in inputs)
    return {
        "object": "list",
        "model": request.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(numbers, encoding)}
            for index, numbers in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _inputs(value: Any) -> list[str]:
    """Read all four forms of `input`; a list of token numbers counts as one text of so many words."""
    match value:
        case str():
            return [value]
        case [int(), *_]:
            return [" ".join(map(str, value))]
        case [_, *_]:
            return [text for item in value for text in _inputs(item)]
        case _:
            raise BadInput("'input' must be a string or a list that is not empty")


def _encoded(numbers: list[float], encoding: str | None) -> list[float] | str:
    if encoding != "base64":
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
