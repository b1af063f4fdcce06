"""/v1/images/* and /v1/audio/*: handed to the backend's own, under the model's name there, and handed back.

Bodies are JSON or multipart forms; of either only the model is read. A backend that has no such route is
passed over.
"""

from __future__ import annotations

from functools import partial

from django.http import HttpResponseBase

from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.operation import MediaRequest
from gateway.raw_forms import RawForm
from gateway.translate import multipart
from ollama_api.door import answer_with
from ollama_api.raw_api import parse_raw
from ollama_api.request import ClientRequest


async def images(request: ClientRequest, verb: str) -> HttpResponseBase:
    """Hand an image request on."""
    return await _hand_on(request, f"/images/{verb}")


async def audio(request: ClientRequest, verb: str) -> HttpResponseBase:
    """Hand an audio request on."""
    return await _hand_on(request, f"/audio/{verb}")


async def _hand_on(request: ClientRequest, path: str) -> HttpResponseBase:
    parse = partial(parse_media, path, request.META.get("CONTENT_TYPE", ""))
    return await answer_with(ClientApi(name=f"v1{path}", parse=parse, translate=keep_media), request)


def parse_media(path: str, content_type: str, body: bytes) -> MediaRequest:
    """Read the model of a form or of a JSON body. Raises `BadRequest`."""
    if content_type.lower().startswith("multipart/"):
        form = multipart.parse(body, content_type)
        return MediaRequest(model=form.model, path=path, content=form)
    call = parse_raw(RawForm(name="media", path=path), body)
    return MediaRequest(model=call.model, path=path, content=call.fields)


def keep_media(request: MediaRequest, diagnostics: Diagnostics | None = None) -> MediaRequest:
    """Give the operation: the request itself."""
    return request
