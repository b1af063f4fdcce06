"""What there is: tags, show, ps, version, recommendations, and the root that says that somebody is there."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponseBase

from accounts.directory import Caller
from backends.discovery import catalog
from backends.errors import NoRoute, NoTargetLeft
from core.model_names import show_with_tag
from gateway import loaded_models
from gateway.decoding import decode_body
from gateway.errors import BadRequest, ModelNotFound, RequestError
from gateway.model_list import DescribedModel, list_known_models, spell_name
from gateway.resolve import resolve_route
from ollama_api.http import json_response, plain_response
from ollama_api.ollama import model_metadata, parse
from ollama_api.ollama.show import overlay_mapping, show_reply
from ollama_api.request import ClientRequest

COPILOT_AGENT = "GitHubCopilotChat/"
"""It shows the basename, and Ollama gives it the name that it asked for. Source: Ollama `ShowHandler`."""


async def root(request: ClientRequest) -> HttpResponseBase:
    """Say that somebody is at home. The command line asks with HEAD before everything it does."""
    return plain_response("Ollama is running")


async def version(request: ClientRequest) -> HttpResponseBase:
    """Name the Ollama release whose behaviour this is; clients compare it."""
    return json_response({"version": settings.PROXY.ollama_version})


async def tags(request: ClientRequest) -> HttpResponseBase:
    """List the names that this caller may use, newest first."""
    entries = [model_metadata.tags_entry(model) for model in await list_known_models(request.context.caller)]
    entries.sort(key=lambda entry: entry.modified_at[:19], reverse=True)
    return json_response({"models": entries})


async def show(request: ClientRequest) -> HttpResponseBase:
    """Describe one model."""
    call = await decode_body(parse.show, request.body)
    name = (call.model or call.name).strip()
    if not name:
        raise BadRequest("model is required")
    is_copilot = request.META.get("HTTP_USER_AGENT", "").startswith(COPILOT_AGENT)
    model = overlay_mapping(await _describe(request.context.caller, name), call.system, call.options)
    return json_response(show_reply(model, name if is_copilot else None))


async def ps(request: ClientRequest) -> HttpResponseBase:
    """List what is in use, and until when."""
    caller, entries = request.context.caller, []
    for alias, until in await loaded_models.in_use():
        if caller.may_use(alias):
            try:
                model = await _describe(caller, alias)
            except (RequestError, NoTargetLeft):  # one that is gone or switched off hides no other
                continue
            entries.append(model_metadata.ps_entry(model, int(until * 1e9)))
    return json_response({"models": entries})


async def recommend(request: ClientRequest) -> HttpResponseBase:
    """Recommend the mappings that operators marked, else the first that they made: for menus of `ollama`."""
    models = await list_known_models(request.context.caller)
    chosen = model_metadata.choose_recommendations(models)
    return json_response({"recommendations": [model_metadata.recommendation(model) for model in chosen]})


async def _describe(caller: Caller, name: str) -> DescribedModel:
    """Find what a name means now, as its first target has it."""
    try:
        route = await resolve_route(caller, name)
    except NoRoute:
        raise ModelNotFound(f"model '{show_with_tag(name)}' not found") from None
    target = min(route.targets, key=lambda target: target.priority)  # as in the list
    return DescribedModel(spell_name(route, target, name), route.rule, target, await catalog.card_of(target))
