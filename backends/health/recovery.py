"""Finds out that a backend can be reached again, so that no client has to be the one who tries.

While a breaker of a whole backend is open, one task a process asks the backend for its list of models at the
end of each pause. Whatever it answers, it is there again: the breaker closes. The task ends, too, when the
backend is deleted, disabled or moved. Where no task runs (a command), the breaker lets a trial through.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import Context

import structlog

from backends.errors import UpstreamError, UpstreamGarbled, UpstreamRejected
from backends.health.breaker import CircuitBreaker
from backends.routing import registry
from backends.routing.snapshot import Target, Upstream
from backends.upstream.client import look
from backends.upstream.transport import OutgoingRequest

log = structlog.get_logger("llamagate.health")

MOST_TASKS = 200
"""Backends that are waited for at the same time; of others a trial finds out."""

_tasks: dict[tuple[int, str], asyncio.Task[None]] = {}


def watch(upstream: Upstream, breaker: CircuitBreaker) -> None:
    """Ask a backend at the end of each pause until it can be reached; one task a backend."""
    key = (upstream.id, upstream.base_url)
    if key in _tasks or len(_tasks) >= MOST_TASKS:
        return
    waiting = _wait_until_reachable(upstream, breaker)
    # In a context of its own: this one is a request's, with its id for the log.
    task = asyncio.get_running_loop().create_task(waiting, context=Context())
    breaker.is_watched = True
    _tasks[key] = task
    task.add_done_callback(lambda _: _end(key, breaker))


async def stop() -> None:
    """End all tasks: the server stops."""
    tasks = list(_tasks.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _end(key: tuple[int, str], breaker: CircuitBreaker) -> None:
    _tasks.pop(key, None)
    breaker.is_watched = False


async def _wait_until_reachable(upstream: Upstream, breaker: CircuitBreaker) -> None:
    while breaker.is_open:
        await asyncio.sleep(max(0.0, breaker.open_until - time.monotonic()))
        # As it is now: its keys may have changed. One that is gone, or lives elsewhere, is asked no more.
        configured = registry.current().upstreams.get(upstream.id)
        if configured is None or configured.base_url != upstream.base_url:
            return
        fault = await _find_fault(configured)
        if not fault:
            breaker.note_success(time.monotonic())
            log.info("circuit breaker closed", backend=upstream.name, reason="it can be reached again")
            return
        breaker.note_failure(time.monotonic(), fault)


async def _find_fault(upstream: Upstream) -> str:
    """Say why a backend cannot be reached; empty if it answers, with whatever status."""
    outgoing = OutgoingRequest("GET", upstream.dialect.models_path or "/models")
    try:
        with suppress(UpstreamRejected, UpstreamGarbled):
            await look(Target(upstream, ""), outgoing, len, "its model list")
    except UpstreamError as error:
        return str(error)
    return ""
