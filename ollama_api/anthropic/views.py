"""The Anthropic face of the same mappings: /v1/messages, passed on, or translated to chat completions."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponseBase

from accounts.directory import Caller
from gateway.passthrough import parse_passthrough
from gateway.pipeline import find_route, serve
from gateway.translate.message_normalization import without_echo
from gateway.translate.reasoning_replay import keys_of_turns
from gateway.upstream_routes import Endpoint
from ollama_api.anthropic import api as anthropic
from ollama_api.anthropic.types import MessagesRequest
from ollama_api.decoding import decoded
from ollama_api.http import SSEStream, json_response_without_charset
from ollama_api.request import ClientRequest

MESSAGES: Endpoint[MessagesRequest] = Endpoint(
    name="v1.messages",
    upstream_path=anthropic.PATH,
    check=anthropic.check,
    needs=anthropic.needs,
    to_upstream=anthropic.to_upstream,
    from_upstream=anthropic.from_upstream,
    stream=anthropic.stream,
    call_keys=lambda call: keys_of_turns(call.turns),
    mend=lambda call, target, reply: without_echo(call.turns, target, reply),
    whole=json_response_without_charset,
    lines=SSEStream,
)


async def messages(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Answer a message; a backend that knows messages itself answers what came."""
    own = await parse_passthrough(caller, request.body, "messages")
    if own is not None:
        return await serve(request, caller, *own)
    return await serve(request, caller, await decoded(anthropic.parse, request.body), MESSAGES)


async def count_tokens(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Estimate the tokens of a request: backends have no common way to count them without answering."""
    call = await decoded(partial(anthropic.parse, counting=True), request.body)
    await find_route(caller, call.model)
    return json_response_without_charset({"input_tokens": anthropic.estimate(call)})
