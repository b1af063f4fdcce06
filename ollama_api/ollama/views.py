"""POST /api/chat and POST /api/generate."""

from __future__ import annotations

from django.http import HttpResponseBase

from accounts.directory import Caller
from gateway.errors import BadRequest, ModelNotFound
from gateway.operations import CHAT, GENERATE
from gateway.pipeline import serve
from ollama_api.decoding import decoded
from ollama_api.ollama import parse
from ollama_api.request import ClientRequest


async def chat(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a chat."""
    call = await decoded(parse.chat, request.body)
    if not call.model:
        raise BadRequest("model is required")
    return await serve(request, caller, call, CHAT)


async def generate(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a prompt."""
    call = await decoded(parse.generate, request.body)
    if not call.model:
        raise ModelNotFound("model '' not found")
    return await serve(request, caller, call, GENERATE)
