"""Paths that no route has: Ollama's plain 404, and its redirects to the path that was meant."""

from __future__ import annotations

from posixpath import normpath
from urllib.parse import quote

from django.http import HttpResponseBase
from django.urls import Resolver404, get_resolver

from ollama_api.http import plain_response
from ollama_api.request import ClientRequest


async def answer_unknown_path(request: ClientRequest, path: str) -> HttpResponseBase:
    """Answer a path that is not ours. Needs no key: there is nothing to see.

    A slash at the end is gin's to redirect, `//` and dots are Go's `net/http.ServeMux`'s. So with Ollama, a
    base URL that ends in a slash works, joined to a path that begins with one.
    """
    given = request.path_info
    cleaned = "/" + normpath(given).lstrip("/")
    if cleaned != given and _exists(cleaned):
        is_moved = request.method == "GET" and given.rstrip("/") == cleaned
        response = plain_response("", 301 if is_moved else 307)
        response["Location"] = quote(cleaned)
        return response
    return plain_response("404 page not found", 404)


def _exists(path: str) -> bool:
    try:
        return get_resolver("ollama_api.urls").resolve(path).url_name != "unknown"
    except Resolver404:
        return False
