"""How many connections a process takes, and who goes when there are too many."""

import resource
from typing import Any

import pytest
from django.conf import LazySettings

from proxy_site import connection_limits
from proxy_site.connection_limits import ConnectionLimits, compute_limits, network_of

LOOPBACK, OTHER = "127.0.0.1", "192.0.2.1"


class Connection:
    def __init__(self) -> None:
        self.is_evicted = False

    def evict(self) -> None:
        self.is_evicted = True


class Log:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.records.append({"event": event, **fields})


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    spy = Log()
    monkeypatch.setattr(connection_limits, "log", spy)
    return spy


def bound(settings: LazySettings, limit: int, per_address: int = 0) -> None:
    settings.PROXY = settings.PROXY.with_changes(
        max_connections=limit, max_connections_per_address=per_address
    )


def admit(limits: ConnectionLimits, count: int, address: str, *, busy: bool = True) -> list[Connection]:
    """Let so many connections in."""
    connections = [Connection() for _ in range(count)]
    for connection in connections:
        assert limits.admit(connection, address)
        if busy:
            limits.note_busy(connection)
    return connections


def test_who_waits_longest_makes_room(settings: LazySettings) -> None:
    bound(settings, 3)
    limits = ConnectionLimits()
    busy, first, second = admit(limits, 1, LOOPBACK) + admit(limits, 2, LOOPBACK, busy=False)
    limits.note_busy(first)
    limits.note_waiting(first)
    admit(limits, 1, LOOPBACK)
    assert [one.is_evicted for one in (busy, first, second)] == [False, False, True]
    assert len(limits) == 3
    admit(limits, 1, LOOPBACK)
    assert first.is_evicted
    assert not limits.admit(Connection(), LOOPBACK), "all that are left are busy"
    limits.release(busy)
    assert limits.admit(Connection(), LOOPBACK)


def test_one_address_cannot_have_all(settings: LazySettings) -> None:
    bound(settings, 100, 3)
    limits = ConnectionLimits()
    first, *_ = admit(limits, 3, OTHER, busy=False)
    assert not limits.admit(Connection(), OTHER)
    assert not limits.admit(Connection(), f"::ffff:{OTHER}")
    admit(limits, 3, "192.0.2.2")
    admit(limits, 10, LOOPBACK)
    limits.release(first)
    limits.release(first)
    admit(limits, 1, OTHER)
    assert not limits.admit(Connection(), OTHER)


def test_a_connection_that_is_handed_over_is_counted_once(settings: LazySettings) -> None:
    bound(settings, 10, 1)
    limits = ConnectionLimits()
    (before,), after = admit(limits, 1, OTHER), Connection()
    limits.hand_over(before, after)
    limits.release(before)
    assert len(limits) == 1
    assert not limits.admit(Connection(), OTHER)
    limits.release(after)
    assert len(limits) == 0
    admit(limits, 1, OTHER)


def test_that_the_limit_is_met_is_logged_once_in_a_while(settings: LazySettings, log: Log) -> None:
    bound(settings, 3)
    limits = ConnectionLimits()
    admit(limits, 3, LOOPBACK)
    for _ in range(5):
        assert not limits.admit(Connection(), LOOPBACK)
    (record,) = log.records
    assert record == {
        "event": "too many connections",
        "limit": 3,
        "connections": 3,
        "address": "loopback",
    }


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", ""),
        ("127.8.8.8", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("", ""),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("descriptors", "limit", "per_address", "allowed"),
    [
        (256, 0, 0, (96, 48)),
        (1024, 0, 0, (480, 240)),
        (1024, 700, 0, (700, 350)),
        (1024, 5000, 5000, (960, 960)),
        (1024, 100, 700, (100, 100)),
        (32, 0, 0, (8, 4)),
        (resource.RLIM_INFINITY, 0, 0, (524_256, 262_128)),
    ],
)
def test_descriptors_bound_what_settings_say(
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
    descriptors: int,
    limit: int,
    per_address: int,
    allowed: tuple[int, int],
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    bound(settings, limit, per_address)
    assert compute_limits() == allowed
