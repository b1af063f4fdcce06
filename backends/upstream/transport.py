"""Connections to backends: one pool per event loop, and calls that the SDK prepared.

The SDK is asked once per (backend, key, path) for the URL and the headers of a call. It never sends:
its HTTP client here has a transport that refuses to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import NoReturn
from urllib.parse import quote
from weakref import WeakKeyDictionary

import aiohttp
import httpx2
import msgspec
from openai import AsyncOpenAI
from openai._models import FinalRequestOptions
from yarl import URL

from backends.routing.snapshot import Upstream
from backends.upstream.connections import CALL, MOST_TEMPLATES, CallState, Connector, open_session
from backends.upstream.direct_post import PostTemplate
from backends.wire.dialect import KEY_HEADERS, Auth, Dialect

USER_AGENT = "Llamagate"
PIECE = 256 * 1024
MOST_SILENCES = 10
"""How many times the idle timeout an answer may consist of nothing but comments."""
# What the SDK would add from its own environment (organisation, project, custom headers) stays here.
KEPT_HEADERS = frozenset({"authorization"})

Sessions = WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession]

_sessions: Sessions = WeakKeyDictionary()
_unpooled: Sessions = WeakKeyDictionary()
JSON = "application/json"


class PreparedCall(msgspec.Struct, frozen=True, eq=False):
    """Where a call goes and with which headers. Holds a key, so it has no repr worth printing.

    The same call is the same object (`prepare`), so it is told apart by identity.
    """

    url: URL
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Prepared({self.url})"


class OutgoingRequest(msgspec.Struct, frozen=True):
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


async def request(upstream: Upstream, outgoing: OutgoingRequest, secret: str) -> aiohttp.ClientResponse:
    """Send one request with one of the backend's keys; return when the head of the answer is here.

    A backend may close a pooled connection just as a call goes out on it (llama.cpp does after every stream,
    and does not announce it). That is seen at once and before a byte of an answer, and only then the call is
    sent again: once, on a connection made for it. Anything else may have been worked on already.
    """
    call = _prepare(upstream, secret, outgoing)
    sent = CallState()
    try:
        return await _send(session(), outgoing, call, sent, verify_tls=upstream.verify_tls)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        # What asks for nothing to be done, aiohttp has sent again itself.
        if outgoing.method != "POST" or not sent.may_go_again():
            raise
    return await _send(
        _session_of(_unpooled, pools=False), outgoing, call, sent, verify_tls=upstream.verify_tls
    )


def _prepare(upstream: Upstream, secret: str, outgoing: OutgoingRequest) -> PreparedCall:
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
    through: aiohttp.ClientSession,
    outgoing: OutgoingRequest,
    call: PreparedCall,
    sent: CallState,
    *,
    verify_tls: bool,
) -> aiohttp.ClientResponse:
    body = outgoing.body
    CALL.set(sent)
    if through is session() and _is_plain_post(outgoing):
        return await _template(through, call, verify_tls).send(body or b"")
    data: bytes | AsyncIterator[bytes] | None = body
    headers = call.headers
    if outgoing.headers or outgoing.content_type != JSON:
        headers = {**headers, "Content-Type": outgoing.content_type, **outgoing.headers}
    if body is not None and len(body) > PIECE:
        data, headers = _pieces(body), {**headers, "Content-Length": str(len(body))}
    return await through.request(
        outgoing.method,
        call.url,
        data=data,
        headers=headers,
        allow_redirects=False,
        ssl=verify_tls,
    )


def _is_plain_post(outgoing: OutgoingRequest) -> bool:
    """Whether it is a JSON body of ordinary length with no headers of its own: what nearly all calls are."""
    return (
        outgoing.method == "POST"
        and not outgoing.headers
        and outgoing.content_type == JSON
        and outgoing.body is not None
        and len(outgoing.body) <= PIECE
    )


def _template(through: aiohttp.ClientSession, call: PreparedCall, verify_tls: bool) -> PostTemplate:
    templates = through.connector.templates if isinstance(through.connector, Connector) else {}
    found = templates.get((call, verify_tls))
    if found is None:
        found = PostTemplate(through, call.url, call.headers, verify_tls=verify_tls)
        if len(templates) >= MOST_TEMPLATES:
            templates.clear()
        templates[call, verify_tls] = found
    return found


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
) -> PreparedCall:
    """Let the SDK make URL and headers. `auth` is a dialect's way to present the key."""
    client = AsyncOpenAI(
        base_url=base_url, api_key=secret or "none", http_client=_never_sending_client(), max_retries=0
    )
    built = client._build_request(
        FinalRequestOptions.construct(method="post", url=path, json_data={}, params=dict(query))
    )
    _stay_with(client.base_url, built.url)
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
    return PreparedCall(URL(str(built.url), encoded=True), headers)


def _stay_with(base: httpx2.URL, url: httpx2.URL) -> None:
    """Refuse a path that is a whole URL: the SDK would follow it, and take the key to another server."""
    if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
        raise aiohttp.InvalidURL(str(base), "a path of its profile leads to another server")


def session() -> aiohttp.ClientSession:
    """Give this event loop's pool, made on first use (Daphne has no lifespan to make it in)."""
    return _session_of(_sessions, pools=True)


def _session_of(sessions: Sessions, *, pools: bool) -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    found = sessions.get(loop)
    if found is None or found.closed:
        found = sessions[loop] = open_session(pools=pools)
    return found


async def close() -> None:
    """Close this event loop's pool."""
    for sessions in (_sessions, _unpooled):
        found = sessions.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.close()


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


class IdleTimeout:
    """Close a response whose backend says nothing for too long: one timer a stream, not one a chunk.

    Comments prolong the wait, since they say that the backend is at work, but not without bound.
    """

    __slots__ = ("_last", "_last_event", "_limit_s", "_loop", "_response", "_timer", "fired")

    def __init__(self, response: aiohttp.ClientResponse, limit_s: float) -> None:
        self.fired = False
        self._response = response
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._last = self._last_event = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def silence_s(self) -> float:
        """Seconds since the last event, once nothing more is waited for."""
        return self._loop.time() - self._last_event

    def start(self) -> None:
        """Begin to watch."""
        self._last_event = self._loop.time()
        self.touch()
        self._timer = self._loop.call_later(self._limit_s, self._check)

    def touch(self) -> None:
        """Note that something came."""
        self._last = self._loop.time()

    def note_event(self) -> None:
        """Note that what came was an event, or a part of one."""
        self._last_event = self._last

    def end_within(self, seconds: float) -> None:
        """Wait no longer than that, whatever comes."""
        self.stop()
        self._timer = self._loop.call_later(seconds, self._close)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        until = min(self._last + self._limit_s, self._last_event + MOST_SILENCES * self._limit_s)
        left_s = until - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check)
        else:
            self._close()

    def _close(self) -> None:
        self.fired = True
        self._response.close()
