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


class MediaView:
    """Hands a request on to the backend's own path of the same name."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    async def __call__(self, request: ClientRequest, verb: str) -> HttpResponseBase:
        """Hand one request on."""
        return await answer_with(self.make_api(verb, request.META.get("CONTENT_TYPE", "")), request)

    def make_api(self, verb: str, content_type: str = "") -> ClientApi:
        """Describe the operation behind one verb, for a body of some content type."""
        path = f"/{self.__name__}/{verb}"
        return ClientApi(
            name=f"v1{path}", parse=partial(parse_media, path, content_type), translate=keep_media
        )


images, audio = MediaView("images"), MediaView("audio")


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
