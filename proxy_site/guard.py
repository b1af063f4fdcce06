"""What happens before Django reads a byte: framing, Host, Origin, declared and counted size, deadlines.

The rules for Host and Origin stand in `hosts` and `origins`, what is counted of bodies in `bodies`, and how a
refusal is told in `refusals`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from accounts.keys import KEY_IN_PATH
from ollama_api.request import Receive, Scope, Send
from proxy_site.bodies import BodyBudget, BodyRules, CountedBody, too_large, without_body
from proxy_site.config import ProxyConfig
from proxy_site.content_coding import ACCEPTED, CODINGS, COMPRESSED_PATHS, open_decoder
from proxy_site.hosts import HostRule
from proxy_site.origins import DEFAULT_ORIGINS, answer_preflight, match_origin, with_origin
from proxy_site.refusals import Headers, Refused, new_request_id, refuse, without_referrer
from usage.bounded_log import BoundedLog

log = structlog.get_logger("llamagate.guard")

App = Callable[[Scope, Receive, Send], Awaitable[None]]

NAMES_OF_ONE = {
    b"host": "Host",
    b"origin": "Origin",
    b"content-length": "Content-Length",
    b"content-encoding": "Content-Encoding",
}
"""Headers that come once: of two, the next one on the way may take the other."""
OPERATORS_PART = 4
"""The operators' door may hold the fourth part of what all bodies may."""
BODYLESS_METHODS = ("GET", "HEAD")
UNREAD_PATHS = ("/api/blobs/",)
"""Routes of the clients' door that refuse a body from its head, however long it is."""
LONGEST_LENGTH = 18
"""Digits of a Content-Length; more than an exabyte is no length."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What may pass."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    max_body_bytes: int
    admin_max_body_bytes: int
    max_bodies_bytes: int
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
            max_bodies_bytes=proxy.max_bodies_bytes,
            max_headers=proxy.max_headers,
            max_header_bytes=proxy.max_header_bytes,
            body_idle_s=proxy.body_idle_timeout_s,
            body_total_s=proxy.body_timeout_s,
        )


class Guard:
    """An ASGI application in front of both doors."""

    def __init__(self, app: App, rules: Rules, is_for_operators: Callable[[str], bool]) -> None:
        self._app = app
        self._rules = rules
        self._is_for_operators = is_for_operators
        self._hosts = HostRule(rules.hosts)
        times = (rules.body_idle_s, rules.body_total_s)
        self.bodies = BodyBudget(rules.max_bodies_bytes)
        self._clients = BodyRules(rules.max_body_bytes, *times, self.bodies)
        # Anybody may post to the login page, so that door never takes more than its part of the room.
        part = BodyBudget(rules.max_bodies_bytes // OPERATORS_PART, inside=self.bodies)
        self._operators = BodyRules(rules.admin_max_body_bytes, *times, part)
        self._strangers = BoundedLog(log, "client refused", status=403)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if KEY_IN_PATH in scope:
            send = without_referrer(send)
        try:
            head = self._read_head(scope)
            origin = self._check(scope, head)
            length = self._read_declared_length(scope["path"], head)
        except Refused as refused:
            await self._refuse(refused, scope, send)
            return
        if origin is not None:
            if scope["method"] == "OPTIONS":
                await answer_preflight(origin, send)
                return
            send = with_origin(send, origin)
        if length == 0:
            await self._app(scope, receive, send)
        else:
            await self._pass_with_body(scope, receive, send, length, head.get(b"content-encoding"))

    async def _pass_with_body(
        self, scope: Scope, receive: Receive, send: Send, length: int | None, coding: bytes | None
    ) -> None:
        rules = self._body_rules(scope["path"])
        if rules is self._operators and scope["method"] in BODYLESS_METHODS:
            # Django would read it before any view. The client door's routes say themselves what they read.
            await self._app(scope, without_body(receive), send)
            return
        decoder = None if coding is None else open_decoder(coding)
        body = CountedBody(receive, send, scope["path"], rules, length, decoder)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.release()

    def _body_rules(self, path: str) -> BodyRules:
        return self._operators if self._is_for_operators(path) else self._clients

    def _read_head(self, scope: Scope) -> dict[bytes, bytes]:
        """Read the headers by their names, in one go. Raises `Refused`: they are too many, or ambiguous."""
        headers: Headers = scope["headers"]
        head: dict[bytes, bytes] = {}
        size = 0
        for name, value in headers:
            size += len(name) + len(value) + 4
            if name in head and name in NAMES_OF_ONE:
                raise Refused(400, f"more than one {NAMES_OF_ONE[name]} header", close=True)
            head[name] = value
        if len(headers) > self._rules.max_headers or size > self._rules.max_header_bytes:
            raise Refused(431, "the request's headers are too large", close=True)
        return head

    def _check(self, scope: Scope, head: dict[bytes, bytes]) -> bytes | None:
        """Check head and origin. Gives the origin to allow in the answer, None when there is none to name."""
        if b"transfer-encoding" in head and b"content-length" in head:
            raise Refused(400, "both Content-Length and Transfer-Encoding", close=True)
        host = head.get(b"host")
        if host is None and scope.get("http_version") != "1.0":
            raise Refused(400, "the Host header is missing", close=True)
        server = scope.get("server")
        self._hosts.check(host or b"", server[0] if server else "")
        if b"content-encoding" in head:
            _check_coding(scope, head[b"content-encoding"].lower())
        origin = head.get(b"origin")
        return None if origin is None else match_origin(origin, host or b"", self._rules.origins)

    def _read_declared_length(self, path: str, head: dict[bytes, bytes]) -> int | None:
        """Read the declared length: 0 for no body at all, None for a chunked one. Raises `Refused`."""
        if b"transfer-encoding" in head:
            return None
        text = head.get(b"content-length", b"0")
        if not text.isdigit() or len(text) > LONGEST_LENGTH:
            raise Refused(400, "invalid Content-Length", close=True)
        length = int(text)
        most = self._body_rules(path).most_bytes
        if length > most and not path.startswith(UNREAD_PATHS):
            raise Refused(413, too_large(most), close=True)
        return length

    async def _refuse(self, refused: Refused, scope: Scope, send: Send) -> None:
        request_id = new_request_id()
        if refused.status == 403:
            head = dict(scope["headers"])
            self._strangers.warning(
                reason=refused.message,
                host=head.get(b"host", b"").decode("latin1"),
                origin=head.get(b"origin", b"").decode("latin1"),
                address=(scope.get("client") or ("",))[0],
                request_id=request_id,
            )
        await refuse(refused, scope["path"], send, request_id)


def _check_coding(scope: Scope, coding: bytes) -> None:
    """Raise `Refused` unless this route takes bodies of that coding."""
    if coding == b"identity":
        return
    if scope["path"] not in COMPRESSED_PATHS or scope["method"] != "POST":
        raise Refused(415, "unsupported content encoding: send the body as it is", close=True)
    if coding not in CODINGS:
        raise Refused(415, f"unsupported content encoding: send the body as it is, or {ACCEPTED}", close=True)
