"""POST /api/chat and POST /api/generate."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from django.http import HttpResponseBase

from accounts.directory import Caller
from backends.routing.snapshot import Rule, Target
from backends.wire.dialects import Fill
from backends.wire.infill import decode_infill
from backends.wire.reading import Each, Reader, Reading, Reads
from ollama_api import parse
from ollama_api.errors import BadRequest, ModelNotFound
from ollama_api.exchange import Endpoint, serve
from ollama_api.request import ClientRequest
from ollama_api.translate import chat as chats
from ollama_api.translate import completion as completions
from ollama_api.translate import generate as generations
from ollama_api.types import ChatRequest, GenerateRequest

CHAT: Endpoint[ChatRequest] = Endpoint(
    name="chat",
    upstream_path=chats.PATH,
    is_empty=lambda call: not call.messages,
    check=chats.check,
    to_upstream=chats.to_upstream,
    from_upstream=chats.from_upstream,
    stream=chats.stream,
    empty_reply=chats.empty_reply,
)

READERS: dict[str, Callable[[Reading], Reads[Any]]] = {
    "choices": Reader,
    "infill": lambda reading: Each(decode_infill),
}


def _way(call: GenerateRequest, target: Target, rule: Rule) -> Endpoint[GenerateRequest] | None:
    """Say how a target is asked: as a chat, or in one of the ways in which no template touches the prompt."""
    if call.suffix:
        fill = completions.fill_of(target, rule)
        return _filling(fill) if fill else None
    if call.raw:
        return RAW if target.dialect.completes else None
    return GENERATE


GENERATE: Endpoint[GenerateRequest] = Endpoint(
    name="generate",
    upstream_path=chats.PATH,
    way=_way,
    no_way=completions.refusal,
    is_empty=lambda call: not call.prompt,
    check=generations.check,
    to_upstream=generations.to_upstream,
    from_upstream=generations.from_upstream,
    stream=generations.stream,
    empty_reply=generations.empty_reply,
)
RAW = msgspec.structs.replace(
    GENERATE, upstream_path=completions.PATH, is_usual=False, to_upstream=completions.raw_body
)


@cache
def _filling(fill: Fill) -> Endpoint[GenerateRequest]:
    return msgspec.structs.replace(
        RAW,
        upstream_path=fill.path,
        is_from_root=fill.from_root,
        to_upstream=completions.fill_body,
        reader=READERS[fill.answer],
    )


async def chat(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a chat."""
    call = parse.chat(request.body)
    if not call.model:
        raise BadRequest("model is required")
    return await serve(request, caller, call, CHAT)


async def generate(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a prompt."""
    call = parse.generate(request.body)
    if not call.model:
        raise ModelNotFound("model '' not found")
    return await serve(request, caller, call, GENERATE)
