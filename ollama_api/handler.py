"""Django's ASGI handler without what the client door does not need: no middleware, no threads, no signals.

The stock handler gives each request a thread for its whole life, and reads the body to a temporary file
before any view runs. Here the view decides when to read, so a caller is known before a byte of the body is.
Measurements: `docs/adr/0001`.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponseBase
from django.urls import get_resolver

from ollama_api.errors import restarting
from ollama_api.request import ClientGone, ClientRequest, Receive, Scope, Send
from ollama_api.responses import NDJSONStream, error_line, error_response

URLCONF = "ollama_api.urls"


class ClientHandler(ASGIHandler):
    """Serves the URLs of `ollama_api.urls`."""

    request_class = ClientRequest

    def load_middleware(self, is_async: bool = False) -> None:
        """Load none: the client door has its own guard, and its views answer every exception."""
        self._resolver = get_resolver(URLCONF)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request, refusal = self.create_request(scope, BytesIO())
        if request is None:
            await _send_whole(refusal, send)
            return
        request.receive = receive
        try:
            await self._answer(request, send)
        except ClientGone:
            return
        except asyncio.CancelledError:
            if not request.client_left:
                if not request.answered:
                    await _send_whole(error_response(restarting(request.request_id)), send)
                raise
        finally:
            request.stop_watching()

    async def _answer(self, request: ClientRequest, send: Send) -> None:
        view, args, kwargs = self._resolver.resolve(request.path_info)
        response = await view(request, *args, **kwargs)
        if isinstance(response, NDJSONStream):
            await _send_stream(request, response, send)
        else:
            request.answered = True
            await _send_whole(response, send, with_body=request.method != "HEAD")


def _head(response: HttpResponseBase) -> MutableMapping[str, Any]:
    headers = [(name.lower().encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


async def _send_whole(response: Any, send: Send, *, with_body: bool = True) -> None:
    await send(_head(response))
    await send({"type": "http.response.body", "body": response.content if with_body else b""})


async def _send_stream(request: ClientRequest, response: NDJSONStream, send: Send) -> None:
    """Send what comes as it comes. The source is closed at once whichever way this ends."""
    try:
        await send(_head(response))
        async for lines in response:
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        request.answered = True
        await send({"type": "http.response.body", "body": b""})
    except asyncio.CancelledError:
        if not request.client_left:  # the server stops: the client hears why, and not a `done`
            await send({"type": "http.response.body", "body": error_line(restarting(request.request_id))})
        raise
    finally:
        await response.aclose()
