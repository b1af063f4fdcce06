"""Refusals of requests before they reach their door, in the error format of the API that was asked."""

from __future__ import annotations

import os

from gateway.errors import Failure
from ollama_api.api_shapes import OLLAMA, ApiShape, find_api_shape
from ollama_api.http import NOSNIFF
from ollama_api.json_encoding import to_json
from ollama_api.request import Message, Send

Headers = list[tuple[bytes, bytes]]

NO_REFERRER = (b"referrer-policy", b"no-referrer")


class Refused(Exception):
    """The request does not pass: a status, a sentence, whether to hang up, and when to try again."""

    def __init__(
        self, status: int, message: str, *, close: bool = False, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.close = close
        self.retry_after_s = retry_after_s


def new_request_id() -> str:
    """Make the id by which a client and an operator speak of one request."""
    return os.urandom(8).hex()


async def refuse(refused: Refused, path: str, send: Send, request_id: str = "") -> None:
    """Answer a request for `path` with a refusal."""
    request_id = request_id or new_request_id()
    api = find_api_shape(path)
    body = _body(refused, api, request_id)
    headers: Headers = [(name.lower().encode(), request_id.encode()) for name in api.id_headers]
    if body:
        headers.append((b"content-type", b"application/json; charset=utf-8"))
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", str(refused.retry_after_s).encode()))
    if refused.close:
        headers.append((b"connection", b"close"))
    await answer(refused.status, headers, body, send)


def _body(refused: Refused, api: ApiShape, request_id: str) -> bytes:
    """Write the body. Ollama says nothing with a 403 (`server/routes.go:allowedHostsMiddleware`)."""
    if api is OLLAMA and refused.status == 403:
        return b""
    failure = Failure(refused.status, refused.message, refused.retry_after_s)
    return to_json(api.envelope(failure, request_id))


async def answer(status: int, headers: Headers, body: bytes, send: Send) -> None:
    """Send a whole answer. A 204 has no body, and so no length."""
    length: Headers = [] if status == 204 else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, NOSNIFF, *length]})
    await send({"type": "http.response.body", "body": body})


def with_nosniff(send: Send) -> Send:
    """Add the header to an answer that may have it already."""

    async def send_with_nosniff(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [header for header in message["headers"] if header[0].lower() != NOSNIFF[0]]
            message = {**message, "headers": [*others, NOSNIFF]}
        await send(message)

    return send_with_nosniff


def without_referrer(send: Send) -> Send:
    """Ask a browser to name this page to nobody: its address holds a key."""

    async def send_without_referrer(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], NO_REFERRER]}
        await send(message)

    return send_without_referrer
