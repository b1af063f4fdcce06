"""The `model` field of a multipart form, read and replaced; every other byte stays. Pure.

Source: RFC 7578 (multipart/form-data), RFC 2046 section 5.1.1 (boundaries).
"""

from __future__ import annotations

import re

from ollama_api.errors import BadRequest

BOUNDARY = re.compile(r'multipart/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^;\s]{1,70}))', re.IGNORECASE)
# A line at a time: an expression that may begin anywhere in one takes for ever over a long one.
NAMED_MODEL = re.compile(
    rb'^content-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;|\r|$)', re.IGNORECASE | re.MULTILINE
)
MOST_PARTS = 100


def model_span(body: bytes, content_type: str) -> tuple[int, int]:
    """Find where the value of the field `model` stands. Raises `BadRequest`."""
    found = BOUNDARY.match(content_type)
    if found is None:
        raise BadRequest("failed to parse multipart form: no boundary")
    delimiter = b"--" + (found.group(1) or found.group(2)).encode("latin1")
    start = body.find(delimiter)
    for _ in range(MOST_PARTS):
        head = body.find(b"\r\n\r\n", start)
        if start < 0 or head < 0:
            break
        end = body.find(b"\r\n" + delimiter, head + 2)
        if end < 0:
            raise BadRequest("failed to parse multipart form: unexpected EOF")
        if NAMED_MODEL.search(body, start + len(delimiter), head + 2):
            return head + 4, end
        start = end + 2
    raise BadRequest("model is required")


def read_model(body: bytes, content_type: str) -> str:
    """Read the field `model`. Raises `BadRequest`."""
    start, end = model_span(body, content_type)
    model = body[start:end].decode("utf-8", "replace").strip()
    if not model:
        raise BadRequest("model is required")
    return model


def with_model(body: bytes, content_type: str, model: str) -> bytes:
    """Put another name into the field `model`."""
    start, end = model_span(body, content_type)
    return body[:start] + model.encode() + body[end:]
