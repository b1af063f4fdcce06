"""GET /v1/models: the names that a caller may use, in OpenAI's shape."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from backends.errors import NoRoute
from core.model_names import show_with_tag
from gateway.errors import BadRequest, ModelNotFound
from gateway.model_list import list_known_models
from gateway.resolve import resolve_route
from ollama_api.http import json_response_without_charset
from ollama_api.request import ClientRequest


async def list_models(request: ClientRequest) -> HttpResponse:
    """List the names that this caller may use."""
    models = await list_known_models(request.context.caller)
    found = [_entry(show_with_tag(model.name), model.rule.changed_at) for model in models]
    return json_response_without_charset({"object": "list", "data": found})


async def show_model(request: ClientRequest, name: str) -> HttpResponse:
    """Describe one name, as it was asked for."""
    if not name:
        raise BadRequest("model is required")
    try:
        route = await resolve_route(request.context.caller, name)
    except NoRoute:
        raise ModelNotFound(f"model '{show_with_tag(name)}' not found") from None
    return json_response_without_charset(_entry(name, route.rule.changed_at))


def _entry(name: str, changed_at: float) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(changed_at), "owned_by": "library"}
