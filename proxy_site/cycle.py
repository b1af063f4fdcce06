"""One request and its answer, as an ASGI application sees them: `receive` and `send`."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import structlog

from proxy_site.sending import SendingSide

log = structlog.get_logger("llamagate.server")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LINES_TYPE = b"application/x-ndjson"
WITHOUT_BODY = (204, 304)
PHRASES = {status.value: status.phrase.encode() for status in http.HTTPStatus}


class Connection(Protocol):
    """What a request needs of its connection."""

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer says."""

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""

    def resume_reading(self) -> None:
        """Read on, if reading was paused."""

    def answer_is_complete(self, cycle: RequestCycle) -> None:
        """The last byte of the answer is written."""

    def break_off(self) -> None:
        """End the connection: the answer will never be complete, and must not look so."""


class RequestCycle:
    """One request.

    Attributes:
        is_gone: the client left, or has been answered already: nothing it says or hears matters any more.
        is_started: the head of the answer is written.
        is_complete: the whole answer is written.
        keeps_alive: the connection outlives the answer.
    """

    def __init__(
        self,
        connection: Connection,
        sending: SendingSide,
        scope: Scope,
        *,
        keeps_alive: bool,
        expects_continue: bool,
    ) -> None:
        self.scope = scope
        self.keeps_alive = keeps_alive
        self.is_gone = False
        self.is_started = False
        self.is_complete = False
        self._connection = connection
        self._sending = sending
        self._expects_continue = expects_continue
        self._news = asyncio.Event()
        self._body: list[bytes] = []
        self._body_is_whole = False
        self._is_chunked = False
        self._has_lines = False
        self._length_left: int | None = None
        self._has_no_body = False
        self._held_head = b""
        """The head of an answer whose length is stated: it goes out with the body, in one write."""
        self.unread_bytes = 0

    # What the connection tells

    def add_body(self, piece: bytes) -> None:
        """A piece of the request's body came."""
        self._body.append(piece)
        self.unread_bytes += len(piece)
        self._news.set()

    def end_body(self) -> None:
        """The request is whole."""
        self._body_is_whole = True
        self._news.set()

    def leave(self) -> None:
        """The client is gone."""
        self.is_gone = True
        self._body.clear()
        self._news.set()

    # The application

    async def run(self, app: App) -> None:
        """Run the application; whatever it does, the client is not left waiting."""
        try:
            await app(self.scope, self.receive, self.send)
            if not self.is_complete and not self.is_gone:
                raise RuntimeError("the application ended before its answer did")
        except asyncio.CancelledError:
            self._fail()
            raise
        except Exception:
            log.exception("unexpected error")
            self._fail()

    def _fail(self) -> None:
        """Say that it failed, if that can still be said."""
        if self.is_complete or self.is_gone:
            return
        if self.is_started:
            self._connection.break_off()
            return
        body = b'{"error":"internal server error"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        self._send_head(500, [*headers, (b"x-content-type-options", b"nosniff"), (b"connection", b"close")])
        self._send_body(body, is_last=True)

    async def receive(self) -> Message:
        """Wait for the next piece of the body, or for the client to be gone."""
        if self._expects_continue and not self.is_started and not self.is_gone:
            self._expects_continue = False
            self._connection.write(CONTINUE)
        if not self.is_gone and not self.is_complete:
            self._connection.resume_reading()
            await self._news.wait()
            self._news.clear()
        if self.is_gone or self.is_complete:
            return {"type": "http.disconnect"}
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self.unread_bytes = 0
        return {"type": "http.request", "body": body, "more_body": not self._body_is_whole}

    async def send(self, message: Message) -> None:
        """Send the head of the answer, or a piece of its body. To a client that is gone, nothing is sent.

        Raises:
            RuntimeError: the application says what cannot be said, or not in this order.
        """
        if self._sending.is_blocked and not self.is_gone:
            await self._sending.wait_writable()
        if self.is_gone:
            return
        if message["type"] == "http.response.body" and self.is_started and not self.is_complete:
            self._send_body(message.get("body", b""), is_last=not message.get("more_body", False))
        elif message["type"] == "http.response.start" and not self.is_started:
            self._send_head(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"unexpected message: {message['type']}")

    # The answer on the wire

    def _send_head(self, status: int, headers: Any) -> None:
        """Write the head. An answer that does not wait for the whole request is the connection's last."""
        self.keeps_alive = self.keeps_alive and self._body_is_whole
        self._length_left = None
        lines = [b"HTTP/1.1 %d %b" % (status, PHRASES.get(status, b""))]
        for name, value in (*self._connection.default_headers, *headers):
            name = name.lower()
            if name == b"connection":
                self.keeps_alive = self.keeps_alive and b"close" not in value.lower()
            else:
                if name == b"content-length":
                    self._length_left = int(value)
                elif name == b"content-type":
                    self._has_lines = value == LINES_TYPE
                lines.append(b"%b: %b" % (name, value))
        lines += self._framing(status)
        head = b"\r\n".join([*lines, b"", b""])
        if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1 or b"\0" in head:
            raise RuntimeError("a header of the answer holds a line break")
        self.is_started = True
        if self._length_left and not self._has_no_body:
            self._held_head = head
        else:
            self._connection.write(head)

    def _framing(self, status: int) -> list[bytes]:
        """Decide how the body ends: nothing, a length, chunks, or the connection (RFC 9112, 6)."""
        self._has_no_body = self.scope["method"] == "HEAD" or status in WITHOUT_BODY
        is_open_ended = not self._has_no_body and self._length_left is None
        self._is_chunked = is_open_ended and self.scope["http_version"] == "1.1"
        if is_open_ended and not self._is_chunked:
            self.keeps_alive = False
        lines = [b"transfer-encoding: chunked"] if self._is_chunked else []
        return lines if self.keeps_alive else [*lines, b"connection: close"]

    def _send_body(self, body: bytes, *, is_last: bool) -> None:
        if self._is_chunked:
            data = frame_lines(body) if self._has_lines else frame(body)
            self._connection.write(data + LAST_CHUNK if is_last else data)
        elif not self._has_no_body:
            self._send_within_length(body, is_last=is_last)
        if is_last:
            self.is_complete = True
            self._news.set()
            self._connection.answer_is_complete(self)

    def _send_within_length(self, body: bytes, *, is_last: bool) -> None:
        if self._length_left is not None:
            self._length_left -= len(body)
            if self._length_left < 0 or (is_last and self._length_left):
                raise RuntimeError("the answer's length is not its Content-Length")
        head, self._held_head = self._held_head, b""
        self._connection.write(head + body if head else body)


def frame(body: bytes) -> bytes:
    """Make a chunk of HTTP (RFC 9112, 7.1). Nothing makes none, since an empty one would be the last."""
    return b"%x\r\n%b\r\n" % (len(body), body) if body else b""


def frame_lines(body: bytes) -> bytes:
    """Make a chunk of each line, all for one write.

    Ollama flushes every object by itself, so clients parse each piece that their library gives them as one:
    `data` events of node:http, `iter_content(None)` of requests, the bytes of a reqwest stream. These give a
    chunk of HTTP each, also where several came in one read. A write for each would change nothing more,
    since the kernel joins what is not read yet.
    """
    if body.find(b"\n") in (-1, len(body) - 1):
        return frame(body)
    return b"".join([b"%x\r\n%b\r\n" % (len(line), line) for line in body.splitlines(keepends=True)])
