"""How connections to backends are made and pooled: aiohttp, set up for what a proxy needs.

No connection is made to an address that `addresses` forbids. It is asked for each resolved address, as the
socket for it is made, so no name and no spelling leads around it, and nothing is looked up a second time.
"""

from __future__ import annotations

import asyncio
import ssl
from contextvars import ContextVar
from functools import partial
from socket import socket as new_socket
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from django.conf import settings

from backends import addresses

# Backends close idle connections after five seconds or more; leave first, or a call meets a closing one.
KEEP_ALIVE_S = 4.0
MAX_HEAD_LINE_BYTES = 16 * 1024
"""Of a backend's answer: its status line, and each header."""
MOST_TEMPLATES = 1024
"""Backends, keys and paths of one event loop."""
RESEND_WITHIN_S = 1.0
"""A pooled connection that its backend had closed is noticed within a round trip. Later, the backend may have
begun to work on the request, and would do so twice."""


class CallState:
    """What is known of a call on its way."""

    __slots__ = ("_loop", "_reused_at")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reused_at: float | None = None

    def note_reuse(self) -> None:
        """Note that the call goes out now, on a connection that was used before."""
        self._reused_at = self._loop.time()

    def may_go_again(self) -> bool:
        """Whether a call that was not answered with a byte probably met a connection that was closing."""
        return self._reused_at is not None and self._loop.time() - self._reused_at < RESEND_WITHIN_S


CALL: ContextVar[CallState | None] = ContextVar("call", default=None)
"""The call that a connection is wanted for."""


class AnswerBroken(aiohttp.ClientConnectionError):
    """The connection broke within the head of an answer: the backend has worked on the request."""


class AnswerProtocol(ResponseHandler):
    """A connection that knows whether a byte of the answer to its present request came.

    aiohttp tells it of a clean end only, and not of one behind an interim answer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._has_begun = False
        self.is_used = False
        """Whether a request went out on it."""

    def set_response_params(self, **params: Any) -> None:
        """Begin with the next request."""
        self._has_begun = False
        self.is_used = True
        super().set_response_params(**params)

    # aiohttp calls the next two where the request is out, and for all bytes that come. Its timer for silence,
    # which they are about, is not used (`SilenceGuard` is); an override of `data_received` would cost twice
    # what it does for each read, and this costs nothing.

    def start_timeout(self) -> None:
        """Start no timer: the request is out, and nothing has come."""

    def _reschedule_timeout(self) -> None:
        """Note that bytes of the answer came."""
        self._has_begun = True

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Tell who waits for the head that it does not come."""
        if self._has_begun and isinstance(exc, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            exc = AnswerBroken(f"within the head of an answer ({type(exc).__name__})")
        super().set_exception(exc, *cause)


class Connector(aiohttp.TCPConnector):
    """Makes such connections, to addresses that a backend may have."""

    def __init__(self, *, pools: bool) -> None:
        more: dict[str, Any] = {"keepalive_timeout": KEEP_ALIVE_S} if pools else {"force_close": True}
        super().__init__(
            limit=0,  # how many requests there may be is decided at the door, not by a queue in here
            ttl_dns_cache=10,
            ssl=ssl.create_default_context(),
            socket_factory=_open_socket,
            **more,
        )
        self.templates: dict[Any, Any] = {}
        """What calls with the same URL and headers share (`direct_post`). It goes with the connections."""
        self._factory: Any = partial(AnswerProtocol, loop=self._loop)

    async def connect(self, *arguments: Any, **more: Any) -> Connection:
        """Give a connection, and tell the call whether it was used before (tracing hooks cost far more)."""
        connection = await super().connect(*arguments, **more)
        sent = CALL.get()
        if (
            sent is not None
            and isinstance(connection.protocol, AnswerProtocol)
            and connection.protocol.is_used
        ):
            sent.note_reuse()
        return connection


def open_session(*, pools: bool) -> aiohttp.ClientSession:
    """Open a session whose connections are pooled, or each made for one call."""
    return aiohttp.ClientSession(
        connector=Connector(pools=pools),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.PROXY.connect_timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=("User-Agent",),
        max_line_size=MAX_HEAD_LINE_BYTES,
        max_field_size=MAX_HEAD_LINE_BYTES,
    )


def _open_socket(address: Any) -> new_socket:
    """Make the socket for an address as resolved: (family, type, protocol, name, socket address)."""
    family, kind, protocol, _, where = address
    addresses.require_allowed_address(where[0])
    return new_socket(family, kind, protocol)
