"""POST /api/embed and the older POST /api/embeddings."""

from __future__ import annotations

import time

import msgspec
from django.http import HttpResponseBase

from accounts.directory import Caller
from backends import upstream
from backends.errors import NoRoute, UpstreamGarbled
from backends.routing import balance
from backends.routing.snapshot import Route, Target
from backends.wire.openai import BadReply, decode_embeddings
from backends.wire.openai import EmbeddingReply as UpstreamReply
from ollama_api import parse, residency
from ollama_api.errors import BadRequest, ModelNotFound
from ollama_api.exchange import find_route, recorded, rng
from ollama_api.request import ClientRequest
from ollama_api.responses import json_response
from ollama_api.translate import embed as embedding
from ollama_api.types import EmbeddingReply, EmbedReply
from usage import ledger


async def embed(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Embed one or many texts."""
    call = parse.embed(request.body)
    if not call.model:
        raise ModelNotFound("model '' not found")
    entry = ledger.open_entry(request.request_id, "embed", caller, call.model, streamed=False)
    with recorded(request, entry):
        route = await _route(caller, call.model)
        residency.use(route.alias, parse.keep_alive_s(call.keep_alive))
        if not call.input:
            ledger.close(entry, "ok")
            return json_response(EmbedReply(model=call.model, embeddings=[]))
        target, reply = await _ask(route, call.input, call.dimensions, entry)
        total_ns = time.monotonic_ns() - entry.started_ns
        load_ns = max(1, entry.sent_ns - entry.started_ns)
        answer = embedding.from_upstream(call, reply, target.dialect, total_ns, load_ns)
        ledger.close(entry, "ok")
        return json_response(answer)


async def embeddings(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Embed one text, in the older form."""
    call = parse.embeddings(request.body)
    if not call.model:
        raise BadRequest("model is required")
    entry = ledger.open_entry(request.request_id, "embeddings", caller, call.model, streamed=False)
    with recorded(request, entry):
        route = await _route(caller, call.model)
        residency.use(route.alias, parse.keep_alive_s(call.keep_alive))
        if not call.prompt:
            ledger.close(entry, "ok")
            return json_response(EmbeddingReply(embedding.NO_VECTOR))
        _, reply = await _ask(route, [call.prompt], 0, entry)
        answer = embedding.single_from_upstream(reply)
        ledger.close(entry, "ok")
        return json_response(answer)


async def _route(caller: Caller, model: str) -> Route:
    """Resolve, in the words that Ollama uses on these two endpoints."""
    try:
        return await find_route(caller, model)
    except NoRoute:
        raise ModelNotFound(f'model "{model}" not found, try pulling it first') from None


async def _ask(
    route: Route, inputs: list[str], dimensions: int, entry: ledger.Entry
) -> tuple[Target, UpstreamReply]:
    """Ask the first target that answers, and note what it counted."""

    def build(target: Target) -> upstream.Ask:
        entry.backend, entry.upstream_model = target.upstream.name, target.model
        entry.sent_ns = time.monotonic_ns()
        body = msgspec.json.encode(embedding.to_upstream(inputs, dimensions, target))
        return upstream.Ask(embedding.PATH, body)

    targets = balance.order(route.targets, rng)
    target, reply = await upstream.ask(targets, build, _decode)
    entry.prompt_tokens = int(reply.usage.prompt_tokens or 0) if reply.usage else 0
    return target, reply


def _decode(answer: upstream.Whole) -> tuple[Target, UpstreamReply]:
    try:
        reply = decode_embeddings(answer.body)
    except BadReply as error:
        raise UpstreamGarbled(answer.target.upstream.name, f"embeddings not understood: {error}") from None
    if reply.error is not None:
        raise upstream.error_in(answer.target, reply.error)
    return answer.target, reply
