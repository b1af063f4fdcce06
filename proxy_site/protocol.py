"""Uvicorn's HTTP/1.1 protocol with limits that it lacks: a head's size, its time, and a reader's patience.

The guard sees requests whose head is complete; a client that never completes one is met here. So is one that
never reads its answer: what waits for it holds a backend.
"""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _in_head = True

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
        super().on_headers_complete()

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
