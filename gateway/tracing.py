"""The account of a request that is not sent: for operators, who want to know what a backend would get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backends.routing.snapshot import Route, RoutingSnapshot, Target
from gateway import operations
from gateway.errors import BadRequest, ModelNotFound
from gateway.passthrough import ENDPOINTS, Face
from gateway.translate.diagnostics import Diagnostics, TranslationContext
from gateway.translate.trace_report import Account, account_of
from gateway.upstream_routes import Endpoint, translate_call
from ollama_api.anthropic import api as anthropic
from ollama_api.anthropic.views import MESSAGES
from ollama_api.ollama import parse
from ollama_api.openai import chat as openai
from ollama_api.openai import raw_body
from ollama_api.openai.views import CHAT, COMPLETIONS, RESPONSES
from ollama_api.responses import api as responses

Told = list[tuple[Account, dict[str, Any]]]

FACES: dict[str, tuple[Callable[[bytes], Any], Endpoint[Any]]] = {
    "/api/chat": (parse.chat, operations.CHAT),
    "/api/generate": (parse.generate, operations.GENERATE),
    "/v1/chat/completions": (openai.parse_chat, CHAT),
    "/v1/completions": (openai.parse, COMPLETIONS),
    "/v1/messages": (anthropic.parse, MESSAGES),
    "/v1/responses": (responses.parse, RESPONSES),
}
OWN: dict[str, Face] = {"/v1/messages": "messages", "/v1/responses": "responses"}
"""Faces that some backends have themselves."""


def accounts(path: str, body: bytes, snapshot: RoutingSnapshot) -> Told:
    """Translate for every target. Raises `RequestError` as the request itself would."""
    read, endpoint = FACES[path]
    model = raw_body.model_of(body)
    route = snapshot.resolve(model)
    if route is None:
        raise ModelNotFound(f"model '{model}' not found")
    face = OWN.get(path)
    if face is not None and all(getattr(target.dialect, face) for target in route.targets):
        read, endpoint = openai.parse, ENDPOINTS[face]
    call = read(body)
    endpoint.check(call, route.rule)
    told = [found for target in route.targets if (found := _account(call, endpoint, target, route))]
    if not told:
        raise BadRequest(endpoint.no_way(call))
    return told


def _account(
    call: Any, endpoint: Endpoint[Any], target: Target, route: Route
) -> tuple[Account, dict[str, Any]] | None:
    """Tell of one target; None if it cannot do what is asked."""
    way = endpoint.way(call, target, route.rule) if endpoint.way is not None else endpoint
    if way is None:
        return None
    notes = Diagnostics()
    body, _ = translate_call(way, call, target, route.rule, TranslationContext(notes))
    return account_of(target, call, body, notes), body
