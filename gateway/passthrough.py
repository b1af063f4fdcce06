"""Which requests pass untranslated: those whose every target has the face's own route.

Every one, so that a failover changes nothing in what is understood.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from accounts.directory import Caller
from accounts.errors import AccessError
from backends.errors import BackendError
from backends.wire.reading import Each
from gateway.errors import RequestError
from gateway.pipeline import find_route
from gateway.upstream_routes import Endpoint
from ollama_api.decoding import decoded
from ollama_api.http import SSEStream, json_response_without_charset
from ollama_api.openai import chat as openai
from ollama_api.openai import raw_body
from ollama_api.openai.chat import OpenAICall

Face = Literal["messages", "responses"]


CLIENT_HEADERS: dict[Face, tuple[str, ...]] = {
    "messages": ("anthropic-beta", "anthropic-version"),
    "responses": (),
}
"""Members of a body may be understood only beside them."""


def _build_passthrough(face: Face, kind: raw_body.Passing) -> Endpoint[OpenAICall]:
    decode = raw_body.decoder(kind)
    return Endpoint(
        name=f"v1.{face}",
        upstream_path=f"/{face}",
        client_headers=CLIENT_HEADERS[face],
        cuts=False,
        to_upstream=partial(raw_body.to_upstream, kind),
        from_upstream=raw_body.from_upstream,
        stream=partial(raw_body.PassedStream, kind),
        reader=lambda reading: Each(decode),
        whole=json_response_without_charset,
        lines=SSEStream,
    )


ENDPOINTS: dict[Face, Endpoint[OpenAICall]] = {
    "messages": _build_passthrough("messages", raw_body.MESSAGES),
    "responses": _build_passthrough("responses", raw_body.RESPONSES),
}


async def parse_passthrough(
    caller: Caller, body: bytes, face: Face
) -> tuple[OpenAICall, Endpoint[OpenAICall]] | None:
    """Give a request that passes, and its endpoint. What is wrong with others their translation tells."""
    try:
        call = await decoded(openai.parse, body)
        route = await find_route(caller, call.model)
    except (RequestError, BackendError, AccessError):
        return None
    has_it = all(getattr(target.dialect, face) for target in route.targets)
    return (call, ENDPOINTS[face]) if has_it else None
