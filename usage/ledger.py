"""What is recorded of a request: opened before the backend is asked, closed whatever happened.

Today it is one log line; records, reservations and the board of requests in flight have their place between
`open_entry` and `close`. No prompt and no answer is ever recorded.
"""

from __future__ import annotations

import time

import msgspec
import structlog

from accounts.directory import Caller

MOST_CHARACTERS = 300
"""Of a name or a reason: clients choose names."""

log = structlog.get_logger("llamagate.request")


class Entry(msgspec.Struct):
    """One request. Times are nanoseconds of the monotonic clock, 0 when that point was not reached."""

    request_id: str
    endpoint: str
    team: str
    key_id: str
    alias: str
    streamed: bool
    started_ns: int
    sent_ns: int = 0
    first_ns: int = 0
    ended_ns: int = 0
    backend: str = ""
    upstream_model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    outcome: str = ""


def open_entry(request_id: str, endpoint: str, caller: Caller, alias: str, *, streamed: bool) -> Entry:
    """Begin to record a request."""
    return Entry(request_id, endpoint, caller.team, caller.key_id, alias, streamed, time.monotonic_ns())


def close(entry: Entry, outcome: str, reason: str = "") -> None:
    """Record how a request ended: ok, error, client_closed. Closing twice records once.

    `reason` stands in the log: of words of clients and backends it holds an excerpt.
    """
    if entry.outcome:
        return
    entry.outcome = outcome
    entry.ended_ns = entry.ended_ns or time.monotonic_ns()
    log.info(
        "request",
        endpoint=entry.endpoint,
        team=entry.team,
        key=entry.key_id,
        alias=entry.alias[:MOST_CHARACTERS],
        backend=entry.backend,
        model=entry.upstream_model[:MOST_CHARACTERS],
        outcome=outcome,
        reason=reason[:MOST_CHARACTERS],
        prompt_tokens=entry.prompt_tokens,
        completion_tokens=entry.completion_tokens,
        first_ms=_ms(entry.first_ns, entry.started_ns),
        ms=_ms(entry.ended_ns, entry.started_ns),
    )


def _ms(until_ns: int, since_ns: int) -> float:
    return round((until_ns - since_ns) / 1e6, 2) if until_ns else 0.0
