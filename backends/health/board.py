"""What requests met at each backend, in this process: breakers, the last error, how long first words took.

A breaker of the backend is fed by what no model is to blame for: no connection. One of the backend and a
model is fed by the rest. What the request itself is to blame for feeds none, nor do refused keys and rate
limits: they have rules of their own (`backends.upstream.key_turns`, and the failover to another target).
"""

from __future__ import annotations

import time
from collections import deque
from random import Random

import structlog
from django.conf import settings
from msgspec.structs import replace

from backends.errors import UpstreamError, UpstreamOversized, UpstreamRejected, UpstreamUnreachable
from backends.health import recovery
from backends.health.breaker import BreakerSettings, CircuitBreaker
from backends.routing.snapshot import Target

log = structlog.get_logger("llamagate.health")

MOST_BACKENDS = 1000
MOST_MODELS = 200
"""Of one backend. Names come from clients where a mapping is a pattern."""
MOST_TIMES = 100
"""Of which the percentiles are made."""
JITTER = 0.2
BLAMELESS_STATUSES = frozenset({401, 402, 403, 407, 408, 409, 425, 429})
"""What says nothing about the backend's health: keys, limits, conflicts."""

rng = Random()  # noqa: S311  # spreads trials, guards nothing


class BackendHealth:
    """One backend."""

    __slots__ = (
        "_settings",
        "breaker",
        "first_token_times",
        "in_flight",
        "last_error",
        "last_success_at",
        "models",
    )

    def __init__(self) -> None:
        self._settings = BreakerSettings(
            consecutive_failures=settings.PROXY.breaker_failures, pause_s=settings.PROXY.breaker_pause_s
        )
        # Nobody's request is the trial of this one (`recovery`), so its pauses need not grow.
        self.breaker = CircuitBreaker(replace(self._settings, longest_pause_s=self._settings.pause_s))
        self.models: dict[str, CircuitBreaker] = {}
        self.last_error = ""
        self.last_success_at = 0.0
        """Unix time; 0: none yet."""
        self.first_token_times: deque[float] = deque(maxlen=MOST_TIMES)
        """Seconds."""
        self.in_flight = 0

    def breaker_of(self, model: str) -> CircuitBreaker:
        """Give the breaker of a model, made on first use."""
        found = self.models.get(model)
        if found is None:
            if len(self.models) >= MOST_MODELS:
                del self.models[next(iter(self.models))]
            found = self.models[model] = CircuitBreaker(self._settings)
        return found

    def estimate_percentile(self, share: float) -> float | None:
        """Give the time to the first token that so large a share of requests stayed below."""
        times = sorted(self.first_token_times)
        return times[min(len(times) - 1, int(share * len(times)))] if times else None


_backends: dict[tuple[int, str], BackendHealth] = {}
"""By its row and its address: what is known of one address says nothing of another."""


def health_of(target: Target) -> BackendHealth:
    """Give what is known of a target's backend."""
    key = (target.upstream.id, target.upstream.base_url)
    found = _backends.get(key)
    if found is None:
        while len(_backends) >= MOST_BACKENDS:
            del _backends[next(iter(_backends))]
        found = _backends[key] = BackendHealth()
    return found


def forget() -> None:
    """Forget everything, as after a start."""
    for health in _backends.values():
        health.breaker.is_open = False  # whoever waits for it to be reached (`recovery`) waits no more
    _backends.clear()


def find_fault(target: Target) -> str:
    """Say why a target is not worth asking now; empty if it is."""
    health = _backends.get((target.upstream.id, target.upstream.base_url))
    if health is None:
        return ""
    now = time.monotonic()
    if not health.breaker.may_ask(now):
        return _describe(health.breaker, now)
    model = health.models.get(target.model)
    return _describe(model, now) if model is not None and not model.may_ask(now) else ""


def _describe(breaker: CircuitBreaker, now: float) -> str:
    if now >= breaker.open_until:
        return f"circuit breaker half open, one trial is under way, after: {breaker.reason}"
    clock = time.strftime("%H:%M:%S", time.gmtime(time.time() + breaker.open_until - now))
    return f"circuit breaker open until {clock} UTC after {breaker.failures} failures: {breaker.reason}"


def begin_call(target: Target) -> bool:
    """Note that a target is tried. True if that is the trial of an open breaker."""
    health = health_of(target)
    health.in_flight += 1
    if not health.breaker.is_open and not health.models:
        return False
    now = time.monotonic()
    model = health.models.get(target.model)
    return health.breaker.begin_call(now) | (model is not None and model.begin_call(now))


def end_call(target: Target, *, is_trial: bool) -> None:
    """Note that a try is over, however it ended. Once for each `begin_call`."""
    health = health_of(target)
    health.in_flight = max(0, health.in_flight - 1)
    if is_trial:
        health.breaker.end_trial()
        health.breaker_of(target.model).end_trial()


def note_success(target: Target, first_token_s: float | None = None) -> None:
    """Note that a backend answered; of a stream, `first_token_s` seconds after it was asked."""
    health, now = health_of(target), time.monotonic()
    health.last_success_at = time.time()
    if first_token_s is not None:
        health.first_token_times.append(first_token_s)
    failing = [one for one in (health.breaker, health.models.get(target.model)) if one and one.has_failed]
    closed = [one.note_success(now) for one in failing]
    if any(closed):
        log.info("circuit breaker closed", backend=target.upstream.name, model=target.model)


def note_failure(target: Target, error: UpstreamError) -> None:
    """Note that a backend did not answer, if that is its own fault."""
    if not is_backends_fault(error):
        return
    health, reason = health_of(target), str(error)
    health.last_error = reason
    is_unreachable = isinstance(error, UpstreamUnreachable)
    breaker = health.breaker if is_unreachable else health.breaker_of(target.model)
    if not breaker.note_failure(time.monotonic(), reason, rng.uniform(0, JITTER)):
        return
    log.warning(
        "circuit breaker opened",
        backend=target.upstream.name,
        model="" if is_unreachable else target.model,
        reason=reason,
        failures=breaker.failures,
        pause_s=round(breaker.open_until - time.monotonic(), 1),
    )
    if is_unreachable:
        recovery.watch(target.upstream, breaker)


def is_backends_fault(error: UpstreamError) -> bool:
    """Whether an error speaks of the backend or of its model, and not of the request, a key or a limit."""
    if isinstance(error, UpstreamRejected):
        is_route_missing = error.is_unusual and error.is_no_route
        return error.may_try_another and not is_route_missing and error.status not in BLAMELESS_STATUSES
    return not isinstance(error, UpstreamOversized)
