"""Ask a backend for its models, once and synchronously: what the admin's "Test" does.

It asks what `discovery.model_lists` asks while clients are served: the path, the headers and the query that
the dialect names, with the key where the dialect wants it.

The only module that speaks `requests`. It never follows a redirect, never reads a proxy or a password from
the environment, connects to no address that `addresses` forbids, reads a bounded answer before a deadline,
and no sentence of it holds the key that was tried.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, InsecureRequestWarning, NameResolutionError

from backends import addresses
from backends.wire.dialect import KEY_HEADERS, Dialect
from backends.wire.error_text import message_of
from backends.wire.listed_models import parse_model_list
from backends.wire.model_cards import ModelCard
from backends.wire.openai_types import BadReply
from backends.wire.redaction import Redactor

# Whoever switches `verify_tls` off for a backend was told on the form what that means.
urllib3.disable_warnings(InsecureRequestWarning)

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024
NAMES_SHOWN = 5
NAME_LENGTH = 80
NO_LIST = "reached (status 200), but what came is no list of models: is this the API's base URL?"
HAS_NO_LIST = (
    "This kind of server has no list of models: whether the key is good shows with the first request."
)
REFUSED = (401, 403)

Outcome = Literal[
    "listed",
    "reached",
    "unreachable",
    "timeout",
    "key_refused",
    "key_unreadable",
    "not_found",
    "redirected",
    "rejected",
    "garbled",
]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one look."""

    outcome: Outcome
    detail: str
    """One sentence for the operator: safe to show, without the key."""
    status: int | None = None
    models: tuple[ModelCard, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether the backend answered with a list, or answered at all where its kind has none."""
        return self.outcome in ("listed", "reached")


def list_models(
    base_url: str, dialect: Dialect, *, secret: str, verify_tls: bool = True, timeout: float = 5.0
) -> Report:
    """Get the list of models. `timeout`: seconds for the connection, and for the whole answer.

    A kind of server that has no list is asked for nothing but its base URL, which shows that it is there.
    """
    base_url = base_url.rstrip("/")
    redactor = Redactor((secret,))
    deadline = time.monotonic() + timeout
    try:
        with (
            _session(dialect, secret) as session,
            session.get(
                base_url + dialect.models_path,
                params=dialect.query,
                timeout=timeout,
                verify=verify_tls,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            report = _read(response, base_url, dialect, redactor, has_key=bool(secret), deadline=deadline)
    except (requests.Timeout, TimeoutError):
        report = Report("timeout", f"no answer within {timeout:g} s")
    except (requests.RequestException, HTTPError, OSError) as error:
        report = Report("unreachable", f"not reached: {_reason(error)}")
    return replace(report, detail=redactor.text(report.detail))


def _session(dialect: Dialect, secret: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _CheckingAdapter())
    session.headers.update(dialect.headers)
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
    session.headers["User-Agent"] = "Llamagate"
    for name in KEY_HEADERS[dialect.auth] if secret else ():
        session.headers[name] = f"Bearer {secret}" if name == "Authorization" else secret
    return session


class _CheckedConnection(HTTPConnection):
    """Connects only to addresses that a backend may have, and to those that were looked at."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            return self._connect_to_one_of(_resolve(name, self.port))
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        finally:
            self._dns_host = name

    def _connect_to_one_of(self, found: Sequence[str]) -> socket.socket:
        """Try one address after the other, as urllib3 does with what it looks up itself."""
        *others, last = found
        for self._dns_host in others:
            try:
                return super()._new_conn()
            except (HTTPError, OSError):
                continue
        self._dns_host = last
        return super()._new_conn()


class _CheckedTLSConnection(_CheckedConnection, HTTPSConnection):
    """The same with TLS, whose certificate is still checked against the name."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _CheckedConnection


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _CheckedTLSConnection


class _CheckingAdapter(HTTPAdapter):
    """Carries calls over such connections."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}


def _resolve(name: str, port: int) -> list[str]:
    """Look a name up, or take a literal address. Raises `ForbiddenAddress` when no address may be called."""
    found = socket.getaddrinfo(name.strip("[]"), port, type=socket.SOCK_STREAM)
    numeric = dict.fromkeys(str(where[0]) for *_, where in found)
    allowed = [address for address in numeric if not addresses.fault_of_address(address)]
    if not allowed:
        addresses.require_allowed_address(next(iter(numeric)))
    return allowed


def _read(
    response: requests.Response,
    base_url: str,
    dialect: Dialect,
    redactor: Redactor,
    *,
    has_key: bool,
    deadline: float,
) -> Report:
    status = response.status_code
    if not dialect.models_path and status not in REFUSED:
        return Report("reached", f"reached (status {status}). {HAS_NO_LIST}", status)
    limit = MAX_BODY_BYTES if status == 200 else MAX_ERROR_BYTES
    body = _body(response, limit, deadline)
    body = redactor.data(body) if body is not None else None
    if status == 200:
        return _parse_list(body)
    if 300 <= status < 400:
        return Report(
            "redirected", f"reached, but status {status} is a redirect: give the URL it leads to", status
        )
    reason = redactor.text(response.reason or "no reason given")[:NAME_LENGTH]
    message = message_of(body or b"", reason, redactor.text)
    if status in REFUSED:
        what = "the key was refused" if has_key else "it asks for a key"
        return Report("key_refused", f"reached, but {what} (status {status}): {message}", status)
    if status == 404:
        return Report("not_found", _describe_missing_list(base_url, dialect.base_path), status)
    return Report("rejected", f"reached, but status {status}: {message}", status)


def _body(response: requests.Response, limit: int, deadline: float) -> bytes | None:
    """Read up to `limit` bytes, or None when there is more. Raises `TimeoutError` past the deadline."""
    body = bytearray()
    # `read1` returns what is there, so that a server that drips bytes meets the deadline all the same.
    while piece := response.raw.read1(PIECE_BYTES):
        body += piece
        if len(body) > limit:
            return None
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)


def _parse_list(body: bytes | None) -> Report:
    if body is None:
        return Report("garbled", f"reached, but its list has more than {MAX_BODY_BYTES >> 20} MiB", 200)
    try:
        models = parse_model_list(body)
    except BadReply:
        return Report("garbled", NO_LIST, 200)
    return Report("listed", f"reached (status 200), {_count(models)}", 200, models)


def _count(models: Sequence[ModelCard]) -> str:
    if not models:
        return "but it lists no models"
    names = ", ".join(model.id[:NAME_LENGTH] for model in models[:NAMES_SHOWN])
    more = f" and {len(models) - NAMES_SHOWN} more" if len(models) > NAMES_SHOWN else ""
    return f"{len(models)} {'model' if len(models) == 1 else 'models'}: {names}{more}"


def _describe_missing_list(base_url: str, base_path: str) -> str:
    if base_url.endswith(base_path):
        return "reached, but status 404: there is no list of models at this URL"
    return f"reached, but status 404: try the base URL with {base_path} at its end ({base_url}{base_path})"


def _reason(error: BaseException) -> str:
    """Name the cause by its type or in the system's words: whole messages hold URLs, some even headers."""
    if isinstance(error, requests.exceptions.SSLError):
        if "certificate" in str(error).lower():
            return "its TLS certificate is not accepted"
        return "it does not speak TLS at this port (is it an http:// URL?)"
    cause: Any = error
    while cause is not None:
        if isinstance(cause, addresses.ForbiddenAddress):
            return str(cause)
        if isinstance(cause, NameResolutionError | socket.gaierror):
            return "its name cannot be resolved"
        if words := re.search(r"\[Errno \d+\] ([A-Za-z ]+)", str(cause)):
            return words[1].lower()
        cause = cause.__cause__ or cause.__context__
    return f"the connection failed ({type(error).__name__})"
