"""The ASGI application of the client door: Django's request, URLs, views and responses, and nothing else.

Django's stock handler gives each request a thread for its whole life, and reads the body to a temporary file
before any view runs. Here there is no middleware, no thread and no signal, and the view decides when to read:
a caller is known before a byte of the body is. Measurements: `docs/adr/0001-two-doors.md`.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from io import BytesIO

from django.http import HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, get_resolver

from gateway.errors import restarting
from ollama_api.http import NOSNIFF, LineStream, plain_response
from ollama_api.request import ClientGone, ClientRequest, Message, Receive, Scope, Send

URLCONF = "ollama_api.urls"
LONGEST_KEPT = 256
"""Characters of a path whose view is remembered."""


class ClientHandler:
    """Serves the URLs of `ollama_api.urls`. Their views answer every exception themselves (`door`)."""

    def __init__(self) -> None:
        # Resolving costs 20 µs and gives the same for the same path; bounded, since paths come from outside.
        self._resolve = lru_cache(maxsize=256)(_resolve_view)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            request = ClientRequest(scope, BytesIO())
        except UnicodeDecodeError:
            await _send_whole(plain_response("400 bad request", 400), send)
            return
        request.receive = receive
        try:
            await self._answer(request, send)
        except ClientGone:
            return
        except asyncio.CancelledError:
            # Not raised again: this task ends here, and the server would take a cancelled one for a crash.
            if request.context.cancel_reason != "client_closed":
                request.context.cancel("shutdown")
                await _say_goodbye(request, send)
        finally:
            request.stop_watching()

    async def _answer(self, request: ClientRequest, send: Send) -> None:
        path = request.path_info
        view, args, kwargs = self._resolve(path) if len(path) <= LONGEST_KEPT else _resolve_view(path)
        response = await view(request, *args, **kwargs)
        if isinstance(response, LineStream):
            await _send_stream(request, response, send)
        else:
            request.answered = True
            await _send_whole(response, send, with_body=request.method != "HEAD")


def _resolve_view(path: str) -> ResolverMatch:
    """Find the view of a path. What does not begin with a slash, as in `OPTIONS *`, matches no route."""
    return get_resolver(URLCONF).resolve(path if path.startswith("/") else f"/{path}")


def _head(response: HttpResponseBase) -> Message:
    headers = [(name.lower().encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    headers.append(NOSNIFF)
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


async def _send_whole(response: HttpResponse, send: Send, *, with_body: bool = True) -> None:
    await send(_head(response))
    await send({"type": "http.response.body", "body": response.content if with_body else b""})


async def _send_stream(request: ClientRequest, response: LineStream, send: Send) -> None:
    """Send what comes as it comes. The source is closed at once whichever way this ends."""
    try:
        await send(_head(response))
        request.last_words = response.last_words
        async for lines in response:
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        request.answered = True
        await send({"type": "http.response.body", "body": b""})
    finally:
        await response.aclose()


async def _say_goodbye(request: ClientRequest, send: Send) -> None:
    """The server stops with this request unfinished: its client hears why, and not a `done`."""
    if request.answered:
        return
    request.answered = True
    failure = restarting(request.context.request_id)
    if request.last_words is not None:
        await send({"type": "http.response.body", "body": request.last_words(failure)})
    else:
        await _send_whole(_add_request_id(request, request.refused(failure)), send)


def _add_request_id(request: ClientRequest, response: HttpResponse) -> HttpResponse:
    response["X-Request-Id"] = request.context.request_id
    return response
