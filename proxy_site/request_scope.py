"""What a connection makes of bytes for the application, and of refusals for the client."""

from __future__ import annotations

import json
import urllib.parse
from http import HTTPStatus
from typing import Any

import httptools

from proxy_site.cycle import Scope
from proxy_site.path_keys import PREFIX, move_key_to_header
from proxy_site.request_reader import RequestHead, UnreadableRequest

Address = tuple[str, int]


def make_scope(
    head: RequestHead,
    asgi_version: str,
    client: Address | None,
    server: Address | None,
    state: dict[str, Any],
) -> Scope:
    """Make the ASGI scope of a request, without a key in its path.

    Raises `UnreadableRequest` for a target that is none.
    """
    path, query = _split_target(head.target)
    text = path.decode("ascii")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": asgi_version, "spec_version": "2.3"},
        "http_version": head.version,
        "method": head.method,
        "scheme": "http",
        "path": urllib.parse.unquote(text) if "%" in text else text,
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": head.headers,
        "client": client,
        "server": server,
        "state": state.copy(),
    }
    if scope["path"].startswith(PREFIX):
        move_key_to_header(scope)
    return scope


def _split_target(target: bytes) -> tuple[bytes, bytes]:
    """Split a request's target in path and query, without what follows a `#`."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise UnreadableRequest(HTTPStatus.BAD_REQUEST, "invalid request target") from None
    path = url.path or b"/"
    if not path.isascii():
        raise UnreadableRequest(HTTPStatus.BAD_REQUEST, "invalid request target")
    return path, url.query or b""


def refusal(status: HTTPStatus, message: str) -> bytes:
    """Write an answer in Ollama's shape, for what never becomes a request. It is the connection's last."""
    body = json.dumps({"error": message}).encode()
    lines = [
        b"HTTP/1.1 %d %b" % (status, status.phrase.encode()),
        b"content-type: application/json; charset=utf-8",
        b"content-length: %d" % len(body),
        b"x-content-type-options: nosniff",
        b"connection: close",
        b"",
        body,
    ]
    return b"\r\n".join(lines)
