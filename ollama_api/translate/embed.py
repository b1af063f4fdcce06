"""/api/embed and /api/embeddings to and from OpenAI's embeddings. Pure.

/api/embed gives vectors of length one, also after cutting to `dimensions`; the older /api/embeddings gives
what the backend gave. Where a dialect's vectors have length one already, their JSON is passed on unread.
Source: Ollama `server/routes.go`, EmbedHandler, EmbeddingsHandler, normalize.
"""

from __future__ import annotations

import base64
import binascii
import math
from array import array
from typing import Any

import msgspec

from backends.routing.snapshot import Target
from backends.wire.dialects import Dialect
from backends.wire.openai import EmbeddingReply as Upstream
from ollama_api.errors import AnswerUnusable
from ollama_api.types import EmbeddingReply, EmbedReply, EmbedRequest

PATH = "/embeddings"
NO_VECTOR = msgspec.Raw(b"[]")


def to_upstream(inputs: list[str], dimensions: int, target: Target) -> dict[str, Any]:
    """Make the backend's request body. The format is always named: SDKs would ask for base64."""
    body: dict[str, Any] = {"model": target.model, "input": inputs, "encoding_format": "float"}
    if dimensions > 0 and target.dialect.embed_dimensions:
        body["dimensions"] = dimensions
    return body


def from_upstream(
    call: EmbedRequest, reply: Upstream, dialect: Dialect, total_ns: int, load_ns: int
) -> EmbedReply:
    """Translate the answer of /api/embed. Raises `AnswerUnusable`."""
    usage = reply.usage
    return EmbedReply(
        model=call.model,
        embeddings=[unit_vector(raw, call.dimensions, dialect) for raw in vectors(reply, len(call.input))],
        total_duration=total_ns,
        load_duration=load_ns,
        prompt_eval_count=int(usage.prompt_tokens) if usage and usage.prompt_tokens else 0,
    )


def single_from_upstream(reply: Upstream) -> EmbeddingReply:
    """Translate the answer of /api/embeddings. Raises `AnswerUnusable`."""
    raw = vectors(reply, 1)[0]
    return EmbeddingReply(msgspec.Raw(msgspec.json.encode(numbers(raw))) if is_base64(raw) else raw)


def vectors(reply: Upstream, expected: int) -> list[msgspec.Raw]:
    """Give the raw vectors in input order. Raises `AnswerUnusable` when one is missing, or no vector."""
    data = sorted(reply.data or (), key=lambda entry: entry.index)
    if len(data) != expected:
        raise AnswerUnusable(f"the backend sent {len(data)} embeddings for {expected} inputs")
    if not all(bytes(memoryview(entry.embedding)[:1]) in (b"[", b'"') for entry in data):
        raise AnswerUnusable("the backend sent an embedding that is no vector")
    return [entry.embedding for entry in data]


def unit_vector(raw: msgspec.Raw, dimensions: int, dialect: Dialect) -> msgspec.Raw:
    """Cut to `dimensions` (0: leave) and bring to length one."""
    cut_here = dimensions > 0 and not dialect.embed_dimensions
    if dialect.embed_normalised and not cut_here and not is_base64(raw):
        return raw
    values = numbers(raw)
    if 0 < dimensions < len(values):
        values = values[:dimensions]
    norm = math.sqrt(math.fsum(value * value for value in values))
    if norm and not math.isclose(norm, 1.0, rel_tol=1e-6):
        values = [value / norm for value in values]
    return msgspec.Raw(msgspec.json.encode(values))


def is_base64(raw: msgspec.Raw) -> bool:
    """Say whether a vector came as base64 although numbers were asked for."""
    return memoryview(raw)[:1].tobytes() == b'"'


def numbers(raw: msgspec.Raw) -> list[float]:
    """Read a vector: JSON numbers, or base64 of little-endian float32. Raises `AnswerUnusable`."""
    try:
        if not is_base64(raw):
            return msgspec.json.decode(raw, type=list[float])
        values = array("f", base64.b64decode(msgspec.json.decode(raw, type=str), validate=True)).tolist()
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise AnswerUnusable(f"the backend sent an embedding that is no vector: {error}") from None
    if not all(map(math.isfinite, values)):
        raise AnswerUnusable("embedding contains NaN or Inf values")
    return values
