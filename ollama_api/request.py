"""A client's request: its body is read when somebody asks for it, and its client is watched from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse

from gateway.context import RequestContext
from gateway.errors import Failure
from ollama_api.http import error_response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientGone(Exception):
    """The client left before its body was complete: nobody is there to be answered."""


class ClientRequest(ASGIRequest):
    """A request whose body is read on demand, and whose client is watched from then on."""

    receive: Receive
    context: RequestContext
    """Opened with the request, before anybody is authenticated."""
    last_words: Callable[[Failure], bytes] | None = None
    """Set when the head of a stream is out: what is said from then on is a line of it."""
    refused: Callable[[Failure], HttpResponse] = staticmethod(error_response)
    """Tells a failure before the head is out, in the shape of the API that was asked."""
    answered = False
    """Set when the last byte is on its way: a disconnect after that is no event."""
    _watcher: asyncio.Task[None] | None = None

    def __init__(self, scope: Scope, body_file: BytesIO) -> None:
        super().__init__(scope, body_file)
        self.context = RequestContext()

    async def read_body(self) -> bytes:
        """Read the whole body (the guard counts and times it), then watch for the client leaving.

        Raises:
            ClientGone: the client left, or the guard has already answered.
        """
        parts: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        self._body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._watcher = asyncio.create_task(self._watch(asyncio.current_task()))
        return self._body

    async def _watch(self, request_task: asyncio.Task[Any] | None) -> None:
        """Cancel the request when its client leaves: that closes the upstream, streamed or not."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        if request_task is not None and not self.answered:
            self.context.cancel("client_closed")
            request_task.cancel()

    def stop_watching(self) -> None:
        """The request is over: let go of what holds it, so that all of it goes when its last user does."""
        if self._watcher is not None:
            self._watcher.cancel()
        self._watcher = self.last_words = None
