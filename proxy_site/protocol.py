"""Uvicorn's HTTP/1.1 protocol with limits that it lacks: a head's size, its time, and a reader's patience.

And with an answer for clients that offer HTTP/2 in the clear, as Java's does.

The guard sees requests whose head is complete; a client that never completes one is met here. So is one that
never reads its answer: what waits for it holds a backend.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Self

import httptools
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class _UntilClosed(int):
    """The length of a body that ends with the connection: never exceeded, and always reached."""

    def __lt__(self, other: object) -> bool:
        return False

    def __sub__(self, other: object) -> Self:
        return self

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


UNTIL_CLOSED = _UntilClosed()


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _received = b""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._start_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_head()
        self._stop_stall()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Let go of a client that hung up in mid-answer: to close would be to wait until it has read all."""
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not read: wait, but not for ever."""
        super().pause_writing()
        self._stall_timer = self.loop.call_later(settings.PROXY.idle_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        self._stop_stall()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that is not complete yet."""
        if self._in_head:
            self._head_bytes += len(data)
        self._received = data
        super().data_received(data)
        if self._in_head and self._head_bytes > settings.PROXY.max_header_bytes:
            self._hang_up(TOO_LARGE)

    def on_message_begin(self) -> None:
        """A further request on a kept connection has its own deadline."""
        super().on_message_begin()
        if not self._in_head:
            self._start_head()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._stop_head()
        if self._is_offered_http2():
            return
        super().on_headers_complete()
        cycle: Any = self.cycle  # None before a WebSocket
        if cycle is not None and self.scope["http_version"] == "1.0":
            # Uvicorn would send chunks, which HTTP/1.0 does not know (RFC 9112, 6.1).
            cycle.chunked_encoding = False
            cycle.expected_content_length = UNTIL_CLOSED

    def on_message_complete(self) -> None:
        """The body is here, unless the parser takes it for another protocol."""
        if not self._is_offered_http2():
            super().on_message_complete()

    def _is_offered_http2(self) -> bool:
        """Say whether the client offers another protocol than WebSocket."""
        offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        return offered and not self._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """Go on in HTTP/1.1, as a server may (RFC 9110, 7.8). Uvicorn would lose the body with a warning.

        The parser stopped behind the head. A fresh one gets the head again, without the offer, and the rest.
        """
        stopped = sys.exception()
        if self._is_offered_http2() and isinstance(stopped, httptools.HttpParserUpgrade):
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            super().data_received(head + self._received[stopped.args[0] :])

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0].lower() != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _start_head(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(settings.PROXY.head_timeout_s, self._hang_up, TOO_SLOW)

    def _stop_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _hang_up(self, answer: bytes) -> None:
        self._stop_head()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
