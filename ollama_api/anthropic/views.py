"""POST /v1/messages/count_tokens: an estimate, since backends have no common way to count beforehand."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse

from gateway.decoding import decode_body
from gateway.mapping_rules import apply_rules
from gateway.resolve import resolve_route
from gateway.token_estimate import estimate_input
from ollama_api.anthropic.api import to_operation
from ollama_api.anthropic.request import parse
from ollama_api.http import json_response_without_charset
from ollama_api.request import ClientRequest


async def count_tokens(request: ClientRequest) -> HttpResponse:
    """Estimate the input tokens of what would be sent, the mapping's system prompt and turns among it."""
    call = await decode_body(partial(parse, counting=True), request.body)
    route = await resolve_route(request.context.caller, call.model)
    operation = to_operation(call)
    apply_rules(route.rule, operation)
    return json_response_without_charset({"input_tokens": estimate_input(operation)})
