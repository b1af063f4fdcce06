"""Paths that no route has: Ollama's plain 404, and its redirect for a trailing slash."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpResponseBase
from django.urls import Resolver404, get_resolver

from ollama_api.request import ClientRequest
from ollama_api.responses import plain_response


async def unknown(request: ClientRequest, path: str) -> HttpResponseBase:
    """Answer a path that is not ours. Needs no key: there is nothing to see."""
    trimmed = request.path_info.rstrip("/")
    if trimmed and trimmed != request.path_info and _exists(trimmed):
        response = plain_response("", 301 if request.method == "GET" else 307)
        response["Location"] = quote(trimmed)
        return response
    return plain_response("404 page not found", 404)


def _exists(path: str) -> bool:
    try:
        return get_resolver("ollama_api.urls").resolve(path).url_name != "unknown"
    except Resolver404:
        return False
