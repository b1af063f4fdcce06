"""The answers of embedding endpoints, also those that strict JSON or our types refuse. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from backends.wire import lenient
from backends.wire.openai_types import BadReply, Embedding, EmbeddingReply, Usage, decode_embeddings
from backends.wire.token_counts import check_counts

PLAIN = b"0123456789eE+-., \t\r\n"
"""What a vector of numbers is written with, between its brackets."""


def read_embeddings(data: bytes) -> EmbeddingReply:
    """Read the answer of `/embeddings`. Raises `BadReply`."""
    try:
        reply = decode_embeddings(data)
    except BadReply:
        reply = _read_lenient(data)
    if reply.usage is not None:
        reply.usage = check_counts(reply.usage, "completion")
    return reply


def _read_lenient(data: bytes) -> EmbeddingReply:
    value = lenient.loads(data)
    if not isinstance(value, dict):
        raise BadReply("embeddings that are no object")
    entries = value.get("data")
    return EmbeddingReply(
        [
            Embedding(write_vector(entry.get("embedding")), lenient.read_whole_number(entry.get("index")))
            for entry in entries
            if isinstance(entry, dict)
        ]
        if isinstance(entries, list)
        else None,
        lenient.read_numbers(Usage, value.get("usage")),
        lenient.clean(value.get("error")),
    )


def write_vector(value: Any) -> msgspec.Raw:
    """Write a vector as it came: what is no number in it has to be seen by whoever looks it through."""
    try:
        return msgspec.Raw(json.dumps(value, separators=(",", ":")).encode())
    except (ValueError, RecursionError) as error:
        raise BadReply(str(error)) from None


def find_fault(vectors: list[msgspec.Raw]) -> str:
    """Tell what is wrong with vectors, which came as numbers or as base64; empty: nothing."""
    sizes: set[tuple[bytes, int]] = set()
    for raw in map(bytes, vectors):
        is_list = raw[:1] == b"["
        rest = raw.translate(None, PLAIN) if is_list else b"[]"
        if b"NaN" in rest or b"Infinity" in rest:
            return "embedding contains NaN or Inf values"
        if rest != b"[]":
            return "the backend sent an embedding that is no vector of numbers"
        sizes.add((raw[:1], raw.count(b",") if is_list else len(raw)))
    kinds = {kind for kind, _ in sizes}
    return "the backend sent embeddings of differing lengths" if len(sizes) > len(kinds) else ""
