"""What belongs to Ollama's cloud, which is switched off: nobody is signed in there. Who asks here: `sign_in`.

Source: Ollama v0.33 `server/routes.go` (StatusHandler, SignoutHandler), `cloud_proxy.go`.
"""

from __future__ import annotations

from django.http import HttpResponseBase

from gateway import go_json
from gateway.errors import Refused, Unauthorized
from ollama_api.http import json_response
from ollama_api.request import ClientRequest


async def status(request: ClientRequest) -> HttpResponseBase:
    """Say that the cloud is off: `ollama launch` then offers no cloud models."""
    return json_response({"cloud": {"disabled": True, "source": "config"}})


async def signout(request: ClientRequest) -> HttpResponseBase:
    """Say that nobody is signed in."""
    raise Unauthorized("you are not currently signed in")


async def forget_key(request: ClientRequest, key: str) -> HttpResponseBase:
    """Say that nobody is signed in, on the deprecated path."""
    raise Unauthorized("you are not currently signed in")


async def web_search(request: ClientRequest) -> HttpResponseBase:
    """Refuse."""
    go_json.first_value(request.body)
    raise Refused("ollama cloud is disabled: web search is unavailable")


async def web_fetch(request: ClientRequest) -> HttpResponseBase:
    """Refuse."""
    go_json.first_value(request.body)
    raise Refused("ollama cloud is disabled: web fetch is unavailable")
