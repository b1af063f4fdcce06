"""/v1/images/* and /v1/audio/*: handed to the backend's own, under the model's name there, and handed back.

Bodies are JSON or multipart forms; of either only the model is read. A backend that has no such route is
passed over.
"""

from __future__ import annotations

import time

import msgspec
from django.http import HttpResponse, HttpResponseBase

from accounts.directory import Caller
from backends import upstream
from backends.errors import UpstreamRejected
from backends.routing import balance
from backends.routing.snapshot import Target
from ollama_api.errors import ModelNotFound
from ollama_api.exchange import find_route, recorded, rng
from ollama_api.request import ClientRequest
from ollama_api.translate import multipart, openai
from usage import ledger


async def images(request: ClientRequest, caller: Caller, verb: str) -> HttpResponseBase:
    """Hand an image request on."""
    return await _hand_on(request, caller, f"/images/{verb}")


async def audio(request: ClientRequest, caller: Caller, verb: str) -> HttpResponseBase:
    """Hand an audio request on."""
    return await _hand_on(request, caller, f"/audio/{verb}")


async def _hand_on(request: ClientRequest, caller: Caller, path: str) -> HttpResponseBase:
    body, sent_type = request.body, request.META.get("CONTENT_TYPE", "")
    is_form = sent_type.lower().startswith("multipart/")
    model = multipart.read_model(body, sent_type) if is_form else openai.parse(body).model
    entry = ledger.open_entry(request.request_id, f"v1{path}", caller, model, streamed=False)

    def build(target: Target) -> upstream.Ask:
        entry.backend, entry.upstream_model = target.upstream.name, target.model
        entry.sent_ns = time.monotonic_ns()
        if is_form:
            sent = multipart.with_model(body, sent_type, target.model)
        else:
            sent = msgspec.json.encode(openai.with_model(openai.parse(body), target))
        kind = sent_type if is_form else "application/json"
        return upstream.Ask(path, sent, content_type=kind, is_usual=False, accept="*/*")

    with recorded(request, entry):
        route = await find_route(caller, model)
        targets = balance.order(route.targets, rng)
        try:
            answer = await upstream.ask(targets, build, lambda whole: whole)
        except UpstreamRejected as refused:
            if refused.is_no_route:
                raise ModelNotFound(f"no backend of model '{model}' has /v1{path}") from None
            raise
        ledger.close(entry, "ok")
    response = HttpResponse(answer.body, content_type=answer.content_type or "application/octet-stream")
    response["Content-Length"] = str(len(answer.body))
    return response
