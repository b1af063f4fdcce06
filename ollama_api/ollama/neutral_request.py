"""What requests of /api/chat and /api/generate have in common, as the neutral request holds it. Pure."""

from __future__ import annotations

from typing import Any

from gateway.generation import GenerationRequest
from gateway.translate.response_format import parse_ollama_format
from ollama_api.ollama.types import ChatRequest, GenerateRequest


def make_request(call: ChatRequest | GenerateRequest, **own: Any) -> GenerationRequest:
    """Make the neutral request; `own` are the members of one of the two. Raises `BadRequest`."""
    return GenerationRequest(
        model=call.model,
        stream=call.stream,
        response_format=parse_ollama_format(call.format) if call.format else None,
        options=call.options,
        client_options=call.options,
        think=call.think,
        requires_thinking=True,
        hides_thinking=call.think is False,
        logprobs=call.logprobs,
        top_logprobs=call.top_logprobs,
        keep_alive=call.keep_alive,
        truncate=call.truncate,
        shift=call.shift,
        private=call,
        **own,
    )
