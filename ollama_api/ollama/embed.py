"""POST /api/embed and the older POST /api/embeddings."""

from __future__ import annotations

import time

from django.http import HttpResponseBase

from accounts.directory import Caller
from backends.errors import NoRoute
from backends.routing.snapshot import Route
from gateway import embedding_batches
from gateway.durations import keep_alive_s
from gateway.errors import BadRequest, ModelNotFound
from gateway.pipeline import find_route, in_use, note_load, record_outcome
from gateway.translate import embeddings as translate
from gateway.translate.options import check_options
from ollama_api.decoding import decoded
from ollama_api.http import json_response
from ollama_api.ollama import parse
from ollama_api.ollama.types import EmbeddingReply, EmbeddingRequest, EmbedReply, EmbedRequest
from ollama_api.request import ClientRequest
from usage import ledger


async def embed(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Embed one or many texts."""
    call = await decoded(parse.embed, request.body)
    if not call.model:
        raise ModelNotFound("model '' not found")
    entry = ledger.open_entry(request.request_id, "embed", caller, call.model, streamed=False)
    with record_outcome(request, entry):
        route, window_s = await _begin(caller, call)
        if not call.input:
            note_load(route, window_s)
            ledger.close(entry, "ok")
            return json_response(EmbedReply(model=call.model, embeddings=[]))
        wish = embedding_batches.EmbeddingWish(
            model=call.model, texts=call.input, dimensions=call.dimensions, truncate=call.truncate
        )
        with in_use(route, window_s):
            target, gathered = await embedding_batches.ask(wish, route, entry)
        total_ns = time.monotonic_ns() - entry.started_ns
        load_ns = max(1, entry.sent_ns - entry.started_ns)
        answer = translate.from_upstream(call, gathered, target.dialect, total_ns, load_ns)
        ledger.close(entry, "ok")
        return json_response(answer)


async def embeddings(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Embed one text, in the older form, which cannot say that nothing may be cut."""
    call = await decoded(parse.embeddings, request.body)
    if not call.model:
        raise BadRequest("model is required")
    entry = ledger.open_entry(request.request_id, "embeddings", caller, call.model, streamed=False)
    with record_outcome(request, entry):
        route, window_s = await _begin(caller, call)
        if not call.prompt:
            note_load(route, window_s)
            ledger.close(entry, "ok")
            return json_response(EmbeddingReply(translate.NO_VECTOR))
        with in_use(route, window_s):
            wish = embedding_batches.EmbeddingWish(model=call.model, texts=[call.prompt])
            _, gathered = await embedding_batches.ask(wish, route, entry)
        answer = translate.single_from_upstream(gathered)
        ledger.close(entry, "ok")
        return json_response(answer)


async def _begin(caller: Caller, call: EmbedRequest | EmbeddingRequest) -> tuple[Route, float | None]:
    """Resolve, in the words that Ollama uses on these two endpoints; check the options; read `keep_alive`."""
    try:
        route = await find_route(caller, call.model)
    except NoRoute:
        raise ModelNotFound(translate.describe_not_found(call.model)) from None
    check_options(call.options)
    return route, keep_alive_s(call.keep_alive)
