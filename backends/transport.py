"""Connections to backends: one pool per event loop, and calls that the SDK prepared.

The SDK is asked once per (backend, key, path) for the URL and the headers of a call. It never sends:
its HTTP client here has a transport that refuses to.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator
from functools import lru_cache
from types import SimpleNamespace
from typing import NoReturn
from urllib.parse import quote
from weakref import WeakKeyDictionary

import aiohttp
import httpx2
import msgspec
from django.conf import settings
from openai import AsyncOpenAI
from openai._models import FinalRequestOptions
from yarl import URL

from backends.routing.snapshot import Upstream
from backends.wire.dialect import KEY_HEADERS, Auth, Dialect

USER_AGENT = "Llamagate"
# Backends close idle connections after five seconds or more; leave first, or a call meets a closing one.
KEEP_ALIVE_S = 4.0
PIECE = 256 * 1024
# What the SDK would add from its own environment (organisation, project, custom headers) stays here.
KEPT_HEADERS = frozenset({"authorization"})

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()
_turn = itertools.count()
JSON = "application/json"


class Sent:
    """What is known of a call on its way."""

    __slots__ = ("on_used_connection",)

    def __init__(self) -> None:
        self.on_used_connection = False


class Prepared(msgspec.Struct, frozen=True):
    """Where a call goes and with which headers. Holds a key, so it has no repr worth printing."""

    url: URL
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Prepared({self.url})"


class Outgoing(msgspec.Struct, frozen=True):
    """A call as `upstream` wants it sent."""

    method: str
    path: str
    body: bytes | None = None
    accept: str = "application/json"
    content_type: str = "application/json"
    from_root: bool = False
    """Whether `path` stands beside the base URL's /v1, not below it."""
    model: str = ""
    """The model's name there, for paths that hold it."""
    headers: dict[str, str] = {}
    """More headers, over those of the dialect."""


async def request(upstream: Upstream, outgoing: Outgoing) -> aiohttp.ClientResponse:
    """Send one request with the next of the backend's keys; return when the head of the answer is here.

    A backend may close a connection just as a call goes out on it (llama.cpp does after every stream, and
    does not announce it). That call was not answered with a byte, so it is sent again, on another one.
    """
    secret = upstream.secrets[next(_turn) % len(upstream.secrets)] if upstream.secrets else ""
    call = _prepared(upstream, secret, outgoing)
    while True:
        sent = Sent()
        try:
            return await _send(outgoing, call, sent, verify_tls=upstream.verify_tls)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # Each round uses up one pooled connection. A new one is never given a second try: the backend
            # may have done what was asked before it closed.
            if not sent.on_used_connection:
                raise


def _prepared(upstream: Upstream, secret: str, outgoing: Outgoing) -> Prepared:
    dialect = upstream.dialect
    path = outgoing.path
    if dialect.path_prefix and outgoing.model and not outgoing.from_root:
        path = dialect.path_prefix.replace("{model}", quote(outgoing.model, safe="")) + path
    return prepare(
        upstream.root_url if outgoing.from_root else upstream.base_url,
        dialect.auth,
        secret,
        path,
        outgoing.accept,
        JSON,  # not the type of a form, whose boundary each client makes up: what is prepared is kept
        *_more(dialect),
    )


def _more(dialect: Dialect) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Give the dialect's own headers and query, in a form that a cache takes; mostly there is none."""
    if not dialect.headers and not dialect.query:
        return (), ()
    return tuple(dialect.headers.items()), tuple(dialect.query.items())


async def _send(
    outgoing: Outgoing, call: Prepared, sent: Sent, *, verify_tls: bool
) -> aiohttp.ClientResponse:
    body = outgoing.body
    data: bytes | AsyncIterator[bytes] | None = body
    headers = call.headers
    if outgoing.headers or outgoing.content_type != JSON:
        headers = {**headers, "Content-Type": outgoing.content_type, **outgoing.headers}
    if body is not None and len(body) > PIECE:
        data, headers = _pieces(body), {**headers, "Content-Length": str(len(body))}
    return await session().request(
        outgoing.method,
        call.url,
        data=data,
        headers=headers,
        allow_redirects=False,
        ssl=verify_tls,
        trace_request_ctx=sent,
    )


@lru_cache(maxsize=4096)
def prepare(
    base_url: str,
    auth: Auth,
    secret: str,
    path: str,
    accept: str,
    content_type: str,
    more_headers: tuple[tuple[str, str], ...] = (),
    query: tuple[tuple[str, str], ...] = (),
) -> Prepared:
    """Let the SDK make URL and headers. `auth` is a dialect's way to present the key."""
    client = AsyncOpenAI(
        base_url=base_url, api_key=secret or "none", http_client=_never_sending_client(), max_retries=0
    )
    built = client._build_request(
        FinalRequestOptions.construct(method="post", url=path, json_data={}, params=dict(query))
    )
    headers = {name: value for name, value in built.headers.items() if name in KEPT_HEADERS}
    headers |= dict(more_headers)
    headers |= {
        "Content-Type": content_type,
        "Accept": accept,
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
    }
    names = KEY_HEADERS[auth] if secret else ()
    if "Authorization" not in names:
        del headers["authorization"]
    headers |= {name: secret for name in names if name != "Authorization"}
    return Prepared(URL(str(built.url), encoded=True), headers)


def session() -> aiohttp.ClientSession:
    """Give this event loop's pool, made on first use (Daphne has no lifespan to make it in)."""
    loop = asyncio.get_running_loop()
    found = _sessions.get(loop)
    if found is None or found.closed:
        found = _sessions[loop] = _new_session()
    return found


async def close() -> None:
    """Close this event loop's pool."""
    found = _sessions.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


def _new_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,  # how many requests there may be is decided at the door, not by a queue in here
        keepalive_timeout=KEEP_ALIVE_S,
        ttl_dns_cache=10,
        ssl=ssl.create_default_context(),
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.PROXY.connect_timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trace_configs=[_trace()],
        trust_env=False,
        skip_auto_headers=("User-Agent",),
        max_line_size=16 * 1024,
        max_field_size=16 * 1024,
    )


def _trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_reuse)
    return trace


async def _note_reuse(
    _session: aiohttp.ClientSession, trace: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    trace.trace_request_ctx.on_used_connection = True


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """Hand a large body over bit by bit, so that writing it never stops the other streams."""
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]


class _NeverSends(httpx2.AsyncBaseTransport):
    """The SDK prepares here; a call that it tried to send would go around our deadlines."""

    async def handle_async_request(self, request: httpx2.Request) -> NoReturn:
        raise RuntimeError("the SDK prepares calls here and never sends them")


@lru_cache(maxsize=1)
def _never_sending_client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=_NeverSends(), trust_env=False)


class SilenceGuard:
    """Close a response whose backend says nothing for too long: one timer a stream, not one a chunk."""

    __slots__ = ("_last", "_limit_s", "_loop", "_response", "_timer", "fired")

    def __init__(self, response: aiohttp.ClientResponse, limit_s: float) -> None:
        self.fired = False
        self._response = response
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch."""
        self.touch()
        self._timer = self._loop.call_later(self._limit_s, self._check)

    def touch(self) -> None:
        """Note that something came."""
        self._last = self._loop.time()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        left_s = self._last + self._limit_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check)
        else:
            self.fired = True
            self._response.close()
