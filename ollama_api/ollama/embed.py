"""POST /api/embed and the older POST /api/embeddings. Pure.

/api/embed gives vectors of length one, also after cutting to `dimensions`; the older /api/embeddings gives
what the backend gave, and cannot say that nothing may be cut.
Source: Ollama `server/routes.go`, EmbedHandler, EmbeddingsHandler.
"""

from __future__ import annotations

import msgspec

from backends.wire.dialect import Dialect
from gateway.answer import AnswerMetrics
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.errors import BadRequest, ModelNotFound
from gateway.operation import EmbeddingRequest as Operation
from gateway.translate.embeddings import (
    NO_VECTOR,
    GatheredVectors,
    explain_missing_model,
    is_base64,
    numbers,
    unit_vector,
)
from gateway.translate.options import check_options
from ollama_api.ollama import parse
from ollama_api.ollama.types import EmbeddingReply, EmbeddingRequest, EmbedReply, EmbedRequest

NO_DIALECT = Dialect(name="none", label="")


def parse_embed(body: bytes) -> EmbedRequest:
    """Read the body of /api/embed. Raises `RequestError`."""
    call = parse.embed(body)
    if not call.model:
        raise ModelNotFound("model '' not found")
    return call


def parse_embeddings(body: bytes) -> EmbeddingRequest:
    """Read the body of /api/embeddings. Raises `RequestError`."""
    call = parse.embeddings(body)
    if not call.model:
        raise BadRequest("model is required")
    return call


def embed_to_operation(call: EmbedRequest, diagnostics: Diagnostics | None = None) -> Operation:
    """Make the neutral request. Raises `BadRequest`: an option is of the wrong type."""
    return Operation(
        model=call.model,
        texts=call.input or [],
        dimensions=call.dimensions,
        truncate=call.truncate,
        options=check_options(call.options),
        is_bounded=True,
        keep_alive=call.keep_alive,
    )


def embeddings_to_operation(call: EmbeddingRequest, diagnostics: Diagnostics | None = None) -> Operation:
    """Make the neutral request of the older form. Raises `BadRequest`: an option is of the wrong type."""
    return Operation(
        model=call.model,
        texts=[call.prompt] if call.prompt else [],
        options=check_options(call.options),
        keep_alive=call.keep_alive,
    )


def encode_embed(
    request: Operation, gathered: GatheredVectors, metrics: AnswerMetrics, now_ns: int
) -> EmbedReply:
    """Write the answer of /api/embed. Raises `AnswerUnusable`."""
    if not request.texts:
        return EmbedReply(model=request.model, embeddings=[])
    dialect = gathered.dialect or NO_DIALECT
    return EmbedReply(
        model=request.model,
        embeddings=[unit_vector(raw, request.dimensions, dialect) for raw in gathered.vectors],
        total_duration=metrics.total_duration,
        load_duration=metrics.load_duration,
        prompt_eval_count=metrics.prompt_eval_count,
    )


def encode_embeddings(
    request: Operation, gathered: GatheredVectors, metrics: AnswerMetrics, now_ns: int
) -> EmbeddingReply:
    """Write the answer of /api/embeddings. Raises `AnswerUnusable`."""
    if not request.texts:
        return EmbeddingReply(NO_VECTOR)
    (raw,) = gathered.vectors
    return EmbeddingReply(msgspec.Raw(msgspec.json.encode(numbers(raw))) if is_base64(raw) else raw)


EMBED = ClientApi(
    name="embed",
    parse=parse_embed,
    translate=embed_to_operation,
    encode=encode_embed,
    explain_missing_model=explain_missing_model,
)
EMBEDDINGS = ClientApi(
    name="embeddings",
    parse=parse_embeddings,
    translate=embeddings_to_operation,
    encode=encode_embeddings,
    explain_missing_model=explain_missing_model,
)
