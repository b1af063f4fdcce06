"""The OpenAI face of the same mappings: /v1/chat/completions, completions, embeddings, models, responses.

Towards a backend of the same language, bodies pass with the mapping's rules applied and nothing lost; only
/v1/responses is translated where a backend has it not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from django.http import HttpResponse, HttpResponseBase

from accounts.directory import Caller
from backends.errors import NoRoute
from backends.routing.snapshot import MappingRules
from backends.wire.reading import Each
from gateway.errors import BadRequest, ModelNotFound
from gateway.model_list import list_known_models
from gateway.passthrough import parse_passthrough
from gateway.pipeline import find_route, serve
from gateway.translate.embeddings import describe_not_found as not_embedding
from gateway.translate.embeddings import describe_unsupported
from gateway.translate.message_normalization import without_echo
from gateway.translate.reasoning_replay import keys_of_turns
from gateway.upstream_routes import Endpoint
from ollama_api.decoding import decoded
from ollama_api.http import SSEStream, json_response_without_charset
from ollama_api.ollama import model_metadata
from ollama_api.openai import answers as openai_answers
from ollama_api.openai import chat as openai
from ollama_api.openai.chat import OpenAICall
from ollama_api.request import ClientRequest
from ollama_api.responses import api as responses
from ollama_api.responses.types import ResponsesRequest

# What Ollama says on these two routes when no model is named.
no_model = partial(ModelNotFound, "model '' not found")


def _build_endpoint(
    name: str, path: str, check: Callable[[OpenAICall, MappingRules], None], to_upstream: Any
) -> Endpoint[OpenAICall]:
    """Describe an endpoint whose bodies pass through."""
    return Endpoint(
        name=name,
        upstream_path=path,
        check=check,
        needs=openai.needs,
        cuts=False,
        to_upstream=to_upstream,
        from_upstream=openai_answers.from_upstream,
        stream=openai_answers.OpenAIStream,
        reader=openai_answers.ChunkReader,
        whole=json_response_without_charset,
        lines=SSEStream,
    )


CHAT = _build_endpoint("v1.chat", "/chat/completions", openai.check_chat, openai.chat_body)
COMPLETIONS: Endpoint[OpenAICall] = msgspec.structs.replace(
    _build_endpoint("v1.completions", "/completions", openai.check_completion, openai.completion_body),
    is_usual=False,
    way=lambda call, target, rule: COMPLETIONS if target.dialect.completes else None,
    no_way=lambda call: f'"{call.model}" does not support completions, only chat',
)
EMBEDDINGS: Endpoint[OpenAICall] = Endpoint(
    name="v1.embeddings",
    upstream_path="/embeddings",
    cuts=False,
    is_usual=False,
    to_upstream=openai.embeddings_body,
    from_upstream=openai_answers.from_upstream,
    stream=openai_answers.OpenAIStream,
    reader=lambda reading: Each(openai_answers.decode_list),
    whole=json_response_without_charset,
    way=lambda call, target, rule: EMBEDDINGS if target.dialect.embed is not None else None,
    no_way=lambda call: describe_unsupported(call.model),
)
RESPONSES: Endpoint[ResponsesRequest] = Endpoint(
    name="v1.responses",
    upstream_path="/chat/completions",
    check=responses.check,
    needs=responses.needs,
    to_upstream=responses.to_upstream,
    from_upstream=responses.from_upstream,
    stream=responses.stream,
    call_keys=lambda call: keys_of_turns(call.input),
    mend=lambda call, target, reply: without_echo(call.input, target, reply),
    whole=json_response_without_charset,
    lines=SSEStream,
)


def _parse_named(body: bytes) -> OpenAICall:
    return openai.parse(body, no_model)


async def chat(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a chat completion."""
    return await serve(request, caller, await decoded(openai.parse_chat, request.body), CHAT)


async def completions(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a legacy completion: passed to the backend's own, never to its chat."""
    return await serve(request, caller, await decoded(_parse_named, request.body), COMPLETIONS)


async def embeddings(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Embed."""
    call = await decoded(_parse_named, request.body)
    openai.check_embeddings(call)
    try:
        return await serve(request, caller, call, EMBEDDINGS)
    except NoRoute:  # Ollama's embeddings have words of their own on every face
        raise ModelNotFound(not_embedding(call.model)) from None


async def respond(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a response request; a backend that knows responses itself answers what came."""
    own = await parse_passthrough(caller, request.body, "responses")
    if own is not None:
        return await serve(request, caller, *own)
    return await serve(request, caller, await decoded(responses.parse, request.body), RESPONSES)


async def models(request: ClientRequest, caller: Caller) -> HttpResponse:
    """List the names that this caller may use."""
    found = [
        _entry(model_metadata.show_with_tag(model.name), model.rule.changed_at)
        for model in await list_known_models(caller)
    ]
    return json_response_without_charset({"object": "list", "data": found})


async def model(request: ClientRequest, caller: Caller, name: str) -> HttpResponse:
    """Describe one name, as it was asked for."""
    if not name:
        raise BadRequest("model is required")
    try:
        route = await find_route(caller, name)
    except NoRoute:
        raise ModelNotFound(f"model '{model_metadata.show_with_tag(name)}' not found") from None
    return json_response_without_charset(_entry(name, route.rule.changed_at))


def _entry(name: str, changed_at: float) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(changed_at), "owned_by": "library"}
