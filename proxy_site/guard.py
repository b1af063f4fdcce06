"""What happens before Django reads a byte: framing, Host, Origin, declared and counted size, deadlines.

Host and Origin follow Ollama's rules, with one difference: they hold on every bind address, not on loopback
only. Source: Ollama `server/routes.go` (allowedHostsMiddleware, GenerateRoutes), `envconfig/config.go`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from proxy_site.config import ProxyConfig

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
LOCAL_ORIGIN_HOSTS = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104  # names in an Origin, not a bind
DEFAULT_ORIGINS = (
    *(
        f"{scheme}://{host}{port}"
        for scheme in ("http", "https")
        for host in LOCAL_ORIGIN_HOSTS
        for port in ("", ":*")
    ),
    *(f"{scheme}://*" for scheme in ("app", "file", "tauri", "vscode-webview", "vscode-file")),
)
STAINLESS = (
    "arch",
    "async",
    "custom-poll-interval",
    "helper-method",
    "lang",
    "os",
    "package-version",
    "poll-helper",
)
STAINLESS_MORE = ("retry-count", "runtime", "runtime-version", "timeout")
ALLOWED_HEADERS = ",".join(
    ["Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "X-API-Key", "OpenAI-Beta"]
    + [f"X-Stainless-{name.title()}" for name in STAINLESS + STAINLESS_MORE]
)
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
    (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
    (b"access-control-max-age", b"43200"),
    (b"vary", b"Origin"),
    (b"vary", b"Access-Control-Request-Method"),
    (b"vary", b"Access-Control-Request-Headers"),
]


@dataclass(frozen=True, slots=True)
class Rules:
    """What may pass."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    max_body_bytes: int
    admin_max_body_bytes: int
    max_headers: int
    max_header_bytes: int
    body_idle_s: float
    body_total_s: float

    @classmethod
    def of(cls, proxy: ProxyConfig) -> Rules:
        """Take them from the settings."""
        return cls(
            hosts=tuple(host.lower() for host in proxy.allowed_hosts),
            origins=(*proxy.origins, *DEFAULT_ORIGINS),
            max_body_bytes=proxy.max_body_bytes,
            admin_max_body_bytes=proxy.admin_max_body_bytes,
            max_headers=proxy.max_headers,
            max_header_bytes=proxy.max_header_bytes,
            body_idle_s=proxy.body_idle_timeout_s,
            body_total_s=proxy.body_timeout_s,
        )


class Refused(Exception):
    """The request does not pass: a status, a sentence ("" for an empty body), and whether to hang up."""

    def __init__(self, status: int, message: str = "", *, close: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.close = close


class Guard:
    """An ASGI application in front of both doors."""

    def __init__(self, app: App, rules: Rules, is_for_operators: Callable[[str], bool]) -> None:
        self._app = app
        self._rules = rules
        self._is_for_operators = is_for_operators
        self._host_passes = lru_cache(maxsize=1024)(self._host_passes_uncached)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        try:
            origin = self._check(scope)
            limit = self._limit(scope["path"])
            declared = _declared_length(scope["headers"])
            if declared is not None and declared > limit:
                raise Refused(413, too_large(limit), close=True)
        except Refused as refused:
            await _refuse(refused, send)
            return
        if origin is not None:
            if scope["method"] == "OPTIONS":
                await _answer(204, [*PREFLIGHT, (b"access-control-allow-origin", origin)], b"", send)
                return
            send = _with_origin(send, origin)
        if declared != 0:
            receive = _Body(receive, send, limit, self._rules).receive
        await self._app(scope, receive, send)

    def _limit(self, path: str) -> int:
        return (
            self._rules.admin_max_body_bytes if self._is_for_operators(path) else self._rules.max_body_bytes
        )

    def _check(self, scope: Scope) -> bytes | None:
        """Check head and origin. Gives the origin to allow in the answer, None when there is none to name."""
        headers = dict(scope["headers"])
        if (
            len(scope["headers"]) > self._rules.max_headers
            or _size(scope["headers"]) > self._rules.max_header_bytes
        ):
            raise Refused(431, "the request's headers are too large", close=True)
        if b"transfer-encoding" in headers and b"content-length" in headers:
            raise Refused(400, "both Content-Length and Transfer-Encoding", close=True)
        server = scope.get("server")
        if not self._host_passes(headers.get(b"host", b""), server[0] if server else ""):
            raise Refused(403)
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(415, "unsupported content encoding: send the body as it is", close=True)
        origin = headers.get(b"origin")
        return None if origin is None else self._allowed_origin(origin, headers.get(b"host", b""))

    def _allowed_origin(self, origin: bytes, host: bytes) -> bytes | None:
        """Give what to allow; None for the same origin, which needs no word. Raises `Refused`."""
        text = origin.decode("latin1")
        if text in (f"http://{host.decode('latin1')}", f"https://{host.decode('latin1')}"):
            return None
        for pattern in self._rules.origins:
            if pattern == "*":
                return b"*"
            if fnmatchcase(text, pattern):
                return origin
        raise Refused(403)

    def _host_passes_uncached(self, header: bytes, server: str) -> bool:
        """Source: Ollama `server/routes.go:allowedHost`. `server` is the address the client connected to."""
        host = _without_port(header.decode("latin1")).lower().rstrip(".")
        if (
            not host
            or host == "localhost"
            or host.endswith(LOCAL_SUFFIXES)
            or host == socket.gethostname().lower()
        ):
            return True
        if any(_covers(allowed, host) for allowed in self._rules.hosts):
            return True
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or address.is_private or address.is_unspecified or str(address) == server


class _Body:
    """Counts and times a body while Django receives it; answers for it when it goes too far."""

    __slots__ = ("_deadline", "_limit", "_receive", "_refused", "_rules", "_send", "_size", "_whole")

    def __init__(self, receive: Receive, send: Send, limit: int, rules: Rules) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._rules = rules
        self._size = 0
        self._whole = False
        self._refused = False
        self._deadline = asyncio.get_running_loop().time() + rules.body_total_s

    async def receive(self) -> Message:
        """Receive the next piece. Once refused, the client counts as gone."""
        if self._whole:
            return await self._receive()
        if self._refused:
            return {"type": "http.disconnect"}
        try:
            return await self._piece()
        except Refused as refused:
            self._refused = True
            await _refuse(refused, self._send)
            return {"type": "http.disconnect"}

    async def _piece(self) -> Message:
        left_s = self._deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self._rules.body_idle_s, left_s)):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, "the request's body did not arrive in time", close=True) from None
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise Refused(413, too_large(self._limit), close=True)
        self._whole = not message.get("more_body", False)
        return message


def too_large(limit: int) -> str:
    """Say how much may come."""
    return f"request body too large: at most {limit} bytes"


def _declared_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Read the declared length: 0 for no body at all, None for a chunked one. Raises `Refused`."""
    length: int | None = 0
    for name, value in headers:
        if name == b"content-length":
            if not value.isdigit():
                raise Refused(400, "invalid Content-Length", close=True)
            length = int(value)
        elif name == b"transfer-encoding":
            length = None
    return length


def _size(headers: Iterable[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _covers(allowed: str, host: str) -> bool:
    """Django's notation: a name, .name for it and all below, * for everything."""
    return allowed in ("*", host) or (
        allowed.startswith(".") and (host == allowed[1:] or host.endswith(allowed))
    )


def _with_origin(send: Send, origin: bytes) -> Send:
    async def send_with_origin(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], (b"access-control-allow-origin", origin), (b"vary", b"Origin")]
            message = {**message, "headers": headers}
        await send(message)

    return send_with_origin


async def _refuse(refused: Refused, send: Send) -> None:
    await answer_error(refused.status, refused.message, send, close=refused.close)


async def answer_error(status: int, message: str, send: Send, *, close: bool = False) -> None:
    """Answer in Ollama's shape; with no message, with no body."""
    body = json.dumps({"error": message}).encode() if message else b""
    headers: Headers = [(b"x-request-id", os.urandom(8).hex().encode())]
    if body:
        headers.append((b"content-type", b"application/json; charset=utf-8"))
    if close:
        headers.append((b"connection", b"close"))
    await _answer(status, headers, body, send)


async def _answer(status: int, headers: Headers, body: bytes, send: Send) -> None:
    length: Headers = [] if status == 204 else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers + length})
    await send({"type": "http.response.body", "body": body})
