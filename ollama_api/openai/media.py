"""/v1/images/* and /v1/audio/*: handed to the backend's own, under the model's name there, and handed back.

Bodies are JSON or multipart forms; of either only the model is read, and what else would choose one. A
backend that has no such route is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpResponse, HttpResponseBase

from accounts.directory import Caller
from backends import key_redaction
from backends.errors import UpstreamRejected
from backends.routing import balance
from backends.routing.snapshot import Target
from backends.upstream import client as upstream
from gateway.errors import ModelNotFound
from gateway.pipeline import find_route, record_outcome, rng
from gateway.translate import multipart
from gateway.translate.diagnostics import SILENT, Diagnostics
from gateway.translate.multipart import Form
from gateway.translate.trace_report import account_of_members
from ollama_api.http import passive_type
from ollama_api.openai import chat as openai
from ollama_api.openai.chat import OpenAICall
from ollama_api.request import ClientRequest
from usage import ledger


async def images(request: ClientRequest, caller: Caller, verb: str) -> HttpResponseBase:
    """Hand an image request on."""
    return await _hand_on(request, caller, f"/images/{verb}")


async def audio(request: ClientRequest, caller: Caller, verb: str) -> HttpResponseBase:
    """Hand an audio request on."""
    return await _hand_on(request, caller, f"/audio/{verb}")


async def _hand_on(request: ClientRequest, caller: Caller, path: str) -> HttpResponseBase:
    sent_type = request.META.get("CONTENT_TYPE", "")
    is_form = sent_type.lower().startswith("multipart/")
    call = multipart.parse(request.body, sent_type) if is_form else openai.parse(request.body)
    entry = ledger.open_entry(request.request_id, f"v1{path}", caller, call.model, streamed=False)

    def build(target: Target) -> upstream.UpstreamCall:
        entry.backend, entry.upstream_model = target.upstream.name, target.model
        entry.sent_ns = time.monotonic_ns()
        sent, kind = _written(request, call, target)
        return upstream.UpstreamCall(path, sent, content_type=kind, is_usual=False, accept="*/*")

    with record_outcome(request, entry):
        route = await find_route(caller, call.model)
        targets = balance.order(route.targets, rng)
        try:
            answer = await upstream.ask(targets, build, lambda whole: whole)
        except UpstreamRejected as refused:
            if refused.is_no_route:
                raise ModelNotFound(f"no backend of model '{call.model}' has /v1{path}") from None
            raise
        ledger.close(entry, "ok")
    kind = key_redaction.hider(answer.target.upstream)(answer.content_type)
    response = HttpResponse(answer.body, content_type=passive_type(kind))
    response["Content-Length"] = str(len(answer.body))
    return response


def _written(request: ClientRequest, call: OpenAICall | Form, target: Target) -> tuple[bytes, str]:
    """Write a body for one target, and name its type; keep the account of it if somebody wants to see one."""
    notes = SILENT if request.trace is None else Diagnostics()
    if isinstance(call, Form):
        sent, kind = multipart.with_model(call, target.model, target.dialect, notes), call.content_type
        names: Mapping[str, Any] = {part.name: None for part in call.parts}
    else:
        fields = openai.with_model(call, target, notes)
        sent, kind, names = msgspec.json.encode(fields), "application/json", call.fields
    if request.trace is not None:
        request.trace.append(account_of_members(target, names, notes))
    return sent, kind
