"""How many connections a process has open, in all and for one address, and who goes when there are many.

A process that is out of file descriptors can neither accept a client nor reach a backend or its database. So
the bound is below theirs. Connections that wait, with no request under way, make room for new ones: who has
waited longest goes first.
"""

from __future__ import annotations

import ipaddress
import resource
import time
from collections import Counter, OrderedDict
from functools import lru_cache
from typing import Protocol

import structlog
from django.conf import settings
from uvicorn.server import ServerState

log = structlog.get_logger("llamagate.connections")

RESERVED_DESCRIPTORS = 64
"""Kept for the database, the log, Redis, workers, and connections on their way out."""
FEWEST = 8
UNLIMITED_DESCRIPTORS = 1024 * 1024
LOG_PAUSE_S = 10.0
IPV6_NETWORK_BITS = 64
"""One customer's part of an IPv6 address, as providers hand them out (RFC 6177)."""


class Connection(Protocol):
    """An open connection."""

    def evict(self) -> None:
        """Close at once, to make room: no request is under way."""


class ConnectionLimits:
    """The open connections of one process."""

    def __init__(self) -> None:
        self._open: dict[Connection, str] = {}
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._per_network: Counter[str] = Counter()
        self._logged_at = -LOG_PAUSE_S

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, address: str) -> bool:
        """Count a new connection, which waits for a request. Says whether there is room for it."""
        network = network_of(address)
        limit, limit_per_network = compute_limits()
        if network and self._per_network[network] >= limit_per_network:
            self._log_limit("too many connections of one address", limit_per_network, network)
            return False
        if len(self._open) >= limit:
            self._log_limit("too many connections", limit, network)
            if not self._evict_longest_waiting():
                return False
        self._count(connection, network)
        self._waiting[connection] = None
        return True

    def note_waiting(self, connection: Connection) -> None:
        """No request is under way on it any more."""
        if connection in self._open:
            self._waiting[connection] = None

    def note_busy(self, connection: Connection) -> None:
        """A request is under way on it."""
        self._waiting.pop(connection, None)

    def hand_over(self, connection: Connection, successor: Connection) -> None:
        """Another protocol took the connection over; it counts as busy."""
        network = self._open.get(connection, "")
        self.release(connection)
        self._count(successor, network)

    def release(self, connection: Connection) -> None:
        """It is closed, or as good as."""
        self._waiting.pop(connection, None)
        network = self._open.pop(connection, "")
        if network:
            self._per_network[network] -= 1
            if not self._per_network[network]:
                del self._per_network[network]

    def _count(self, connection: Connection, network: str) -> None:
        self._open[connection] = network
        if network:
            self._per_network[network] += 1

    def _evict_longest_waiting(self) -> bool:
        if not self._waiting:
            return False
        connection, _ = self._waiting.popitem(last=False)
        self.release(connection)
        connection.evict()
        return True

    def _log_limit(self, event: str, limit: int, network: str) -> None:
        """Say it, but not for every client that comes while it is so."""
        now = time.monotonic()
        if now - self._logged_at >= LOG_PAUSE_S:
            self._logged_at = now
            log.warning(event, limit=limit, connections=len(self._open), address=network or "loopback")


class LimitedServerState(ServerState):
    """What the connections of one server share."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = ConnectionLimits()


def compute_limits() -> tuple[int, int]:
    """Give the bound in all, and for one address: what the settings say, as far as descriptors last.

    Not set, half of the descriptors are for clients, since each may need another to a backend; and half of
    that for one address.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        descriptors = UNLIMITED_DESCRIPTORS
    available = max(FEWEST, descriptors - RESERVED_DESCRIPTORS)
    proxy = settings.PROXY
    limit = min(proxy.max_connections or max(FEWEST, available // 2), available)
    return limit, min(proxy.max_connections_per_address or max(1, limit // 2), limit)


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Name what counts as one address: itself, or an IPv6 network; "" for loopback and what is no address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return _network_of_ipv6(found)
        found = found.ipv4_mapped
    return "" if found.is_loopback else str(found)


def _network_of_ipv6(address: ipaddress.IPv6Address) -> str:
    if address.is_loopback:
        return ""
    return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
