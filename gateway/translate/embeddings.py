"""Texts to the body of an embedding call, and vectors out of its answer. Pure.

/api/embed gives vectors of length one, also after cutting to `dimensions`; the older /api/embeddings gives
what the backend gave. Where a dialect's vectors have length one already, their JSON is passed on unread.
Source: Ollama `server/routes.go`, EmbedHandler, EmbeddingsHandler, normalize.
"""

from __future__ import annotations

import base64
import binascii
import math
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from backends.errors import NoRoute, UpstreamRejected
from backends.routing.snapshot import Target
from backends.wire.dialect import Dialect, EmbedStyle
from backends.wire.embedding_replies import find_fault
from backends.wire.openai_types import EmbeddingReply as Upstream
from gateway.diagnostics import PLAIN, Diagnostics, TranslationContext
from gateway.errors import AnswerUnusable, ModelNotFound
from gateway.translate.options import ABOUT_LOADING

PATH = "/embeddings"
COUNTED = (
    "texts of more tokens are found by the backend's counts, as far as it counts, and cut or refused here"
)
NO_VECTOR = msgspec.Raw(b"[]")


class GatheredVectors:
    """The answers of several calls, put back in the order of the inputs."""

    def __init__(self, inputs: int) -> None:
        self.vectors: list[msgspec.Raw] = [NO_VECTOR] * inputs
        self._first: msgspec.Raw | None = None
        """One of those that came before, as long as all that come later."""
        self.dialect: Dialect | None = None
        """Of the backend that made them."""
        self._counts: dict[int, int] = {}
        """By the first place of a part. What is asked again takes the place of what was answered before."""

    @property
    def tokens(self) -> int:
        """Of all inputs, as far as the backend counts them."""
        return sum(self._counts.values())

    def count_tokens(self, place: int) -> int:
        """Give the tokens of an input that was asked alone; 0 if the backend counts none."""
        return self._counts.get(place, 0)

    def put(self, places: Sequence[int], reply: Upstream) -> None:
        """Take the answer for the inputs in these places. Raises `AnswerUnusable`."""
        found = vectors(reply, len(places))
        if self._first is not None:
            check_vectors([self._first, *found[:1]])
        for place, raw in zip(places, found, strict=True):
            self._first = self.vectors[place] = raw
        if places:
            self._counts[places[0]] = int(reply.usage.prompt_tokens or 0) if reply.usage else 0


def explain_missing_model(error: NoRoute) -> ModelNotFound:
    """Tell that nothing has this name: Ollama's embeddings have words of their own, on every API."""
    return ModelNotFound(f'model "{error.model}" not found, try pulling it first')


def describe_inability(model: str) -> str:
    """Tell that no backend of a model embeds."""
    return f'"{model}" does not support embeddings'


def is_about_token_limit(refused: UpstreamRejected, dialect: Dialect) -> bool:
    """Say whether a backend refused the parameter that would have it cut texts."""
    name = dialect.embeddings.max_tokens if dialect.embeddings else ""
    return bool(name) and refused.status in (400, 422) and name in refused.message.lower()


def is_about_dimensions(refused: UpstreamRejected) -> bool:
    """Say whether a backend refused `dimensions`: its model has fewer, or cannot cut its vectors."""
    message = refused.message.lower()
    return refused.status in (400, 422) and ("dimension" in message or "matryoshka" in message)


class EmbeddingPart(msgspec.Struct, frozen=True):
    """Texts that are embedded in one call."""

    texts: list[str]
    dimensions: int = 0
    truncate: bool = True
    token_limit: int = 0
    """How many tokens each text may have, as far as that is not seen to otherwise; 0: no limit."""
    is_counted: bool = False
    """Whether the texts are kept within it by the backend's counts, although it may know how to cut."""
    options: dict[str, Any] = {}


def build_part(part: EmbeddingPart, target: Target, context: TranslationContext = PLAIN) -> dict[str, Any]:
    """Make the backend's request body. The format is always named: SDKs would ask for base64."""
    style = target.dialect.embeddings or EmbedStyle()
    body: dict[str, Any] = {
        **style.body,
        "model": target.model,
        "input": part.texts,
        "encoding_format": "float",
    }
    if part.truncate:
        body |= style.truncate
    if part.dimensions > 0 and style.dimensions:
        body[style.dimensions] = part.dimensions
        context.diagnostics.note_mapped("dimensions", style.dimensions)
    elif part.dimensions > 0:
        context.diagnostics.note_dropped("dimensions", "vectors are cut here")
    is_cut_there = bool(part.token_limit and part.truncate and style.max_tokens and not part.is_counted)
    if is_cut_there:
        body[style.max_tokens] = part.token_limit
    for name in part.options:
        _note_option(name, part.token_limit, style.max_tokens if is_cut_there else "", context.diagnostics)
    return body


def _note_option(name: str, limit: int, wire_name: str, diagnostics: Diagnostics) -> None:
    if name != "num_ctx" or not limit:
        reason = ABOUT_LOADING.get(name, "an embedding has no such field")
        diagnostics.note_dropped(f"options.{name}", reason)
    elif wire_name:
        diagnostics.note_mapped("options.num_ctx", wire_name)
    else:
        diagnostics.note_changed("options.num_ctx", "input", COUNTED)


def vectors(reply: Upstream, expected: int) -> list[msgspec.Raw]:
    """Give the raw vectors in input order. Raises `AnswerUnusable` when one is missing, or no vector."""
    data = sorted(reply.data or (), key=lambda entry: entry.index or 0)
    if len(data) != expected:
        raise AnswerUnusable(f"the backend sent {len(data)} embeddings for {expected} inputs")
    if not all(bytes(memoryview(entry.embedding)[:1]) in (b"[", b'"') for entry in data):
        raise AnswerUnusable("the backend sent an embedding that is no vector")
    check_vectors([entry.embedding for entry in data])
    return [entry.embedding for entry in data]


def check_vectors(found: list[msgspec.Raw]) -> None:
    """Refuse vectors with anything but numbers in them, or of differing lengths. Raises `AnswerUnusable`."""
    fault = find_fault(found)
    if fault:
        raise AnswerUnusable(fault)


def unit_vector(raw: msgspec.Raw, dimensions: int, dialect: Dialect) -> msgspec.Raw:
    """Cut to `dimensions` (0: leave) and bring to length one.

    A vector that may have been cut is read whatever the dialect says: some servers do not cut, and some do
    not bring to length one what they cut.
    """
    style = dialect.embeddings or EmbedStyle()
    if style.normalized and dimensions <= 0 and not is_base64(raw):
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
