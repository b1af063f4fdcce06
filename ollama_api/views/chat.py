"""POST /api/chat and POST /api/generate."""

from __future__ import annotations

from django.http import HttpResponseBase

from accounts.directory import Caller
from ollama_api import parse
from ollama_api.errors import BadRequest, ModelNotFound
from ollama_api.exchange import Endpoint, serve
from ollama_api.request import ClientRequest
from ollama_api.translate import chat as chats
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

GENERATE: Endpoint[GenerateRequest] = Endpoint(
    name="generate",
    upstream_path=chats.PATH,
    is_empty=lambda call: not call.prompt,
    check=generations.check,
    to_upstream=generations.to_upstream,
    from_upstream=generations.from_upstream,
    stream=generations.stream,
    empty_reply=generations.empty_reply,
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
