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
from ollama_api.decoding import decoded
from ollama_api.endpoint import Endpoint
from ollama_api.errors import RequestError
from ollama_api.exchange import find_route
from ollama_api.responses import SSEStream, unmarked_json_response
from ollama_api.translate import openai, passed
from ollama_api.translate.openai import OpenAICall

Face = Literal["messages", "responses"]


CLIENT_HEADERS: dict[Face, tuple[str, ...]] = {
    "messages": ("anthropic-beta", "anthropic-version"),
    "responses": (),
}
"""Members of a body may be understood only beside them."""


def _passing(face: Face, kind: passed.Passing) -> Endpoint[OpenAICall]:
    decode = passed.decoder(kind)
    return Endpoint(
        name=f"v1.{face}",
        upstream_path=f"/{face}",
        client_headers=CLIENT_HEADERS[face],
        cuts=False,
        to_upstream=partial(passed.to_upstream, kind),
        from_upstream=passed.from_upstream,
        stream=partial(passed.PassedStream, kind),
        reader=lambda reading: Each(decode),
        whole=unmarked_json_response,
        lines=SSEStream,
    )


ENDPOINTS: dict[Face, Endpoint[OpenAICall]] = {
    "messages": _passing("messages", passed.MESSAGES),
    "responses": _passing("responses", passed.RESPONSES),
}


async def own_call(caller: Caller, body: bytes, face: Face) -> tuple[OpenAICall, Endpoint[OpenAICall]] | None:
    """Give a request that passes, and its endpoint. What is wrong with others their translation tells."""
    try:
        call = await decoded(openai.parse, body)
        route = await find_route(caller, call.model)
    except (RequestError, BackendError, AccessError):
        return None
    has_it = all(getattr(target.dialect, face) for target in route.targets)
    return (call, ENDPOINTS[face]) if has_it else None
