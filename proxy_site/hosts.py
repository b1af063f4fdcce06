"""The Host header: what is one at all (RFC 9112, 3.2), and which of them are served.

The rules are Ollama's, with one difference: they hold on every bind address, not on loopback only.
Source: Ollama `server/routes.go` (allowedHost, allowedHostsMiddleware).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache

from proxy_site.refusals import Refused

LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
LONGEST = 300
"""Bytes: a name has 253 at the most (RFC 1035). What is longer is not even remembered."""
# An address in brackets, with a zone or without, or a name; then a port. Neither user nor path is part of it.
HOST = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._~-]+)?)\]|(?P<name>(?:[A-Za-z0-9_~-]+\.)*[A-Za-z0-9_~-]+\.?))"
    r"(?::[0-9]{0,5})?"
)


class HostRule:
    """Says of Host headers whether they pass."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        self._look_up = lru_cache(maxsize=1024)(self._verdict)

    def check(self, header: bytes, server: str) -> None:
        """Let a Host pass, or raise `Refused`. `server` is the address that the client connected to."""
        refused = MALFORMED if len(header) > LONGEST else self._look_up(header, server)
        if refused is not None:
            raise Refused(*refused, close=refused is MALFORMED)

    def _verdict(self, header: bytes, server: str) -> tuple[int, str] | None:
        try:
            host = host_of(header)
        except ValueError:
            return MALFORMED
        return None if self._is_served(host, server) else FOREIGN

    def _is_served(self, host: str, server: str) -> bool:
        own_names = ("", "localhost", socket.gethostname().lower())
        if host in own_names or host.endswith(LOCAL_SUFFIXES):
            return True
        if any(_covers(allowed, host) for allowed in self._allowed):
            return True
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or address.is_private or address.is_unspecified or str(address) == server


MALFORMED = (400, "the Host header is malformed")
FOREIGN = (403, "this Host is not allowed here: the operator may add it to ALLOWED_HOSTS")


def host_of(header: bytes) -> str:
    """Read the host: in lower case, without port and last dot; "" if it is empty. Raises `ValueError`."""
    text = header.decode("ascii").strip(" \t")
    if not text:
        return ""
    found = HOST.fullmatch(text)
    if found is None:
        raise ValueError(text)
    if found["v6"] is not None:
        return f"[{ipaddress.IPv6Address(found['v6'])}]"
    return found["name"].lower().rstrip(".")


def _covers(allowed: str, host: str) -> bool:
    """Django's notation: a name, .name for it and all below, * for everything."""
    return allowed in ("*", host) or (
        allowed.startswith(".") and (host == allowed[1:] or host.endswith(allowed))
    )
