"""What is recorded of a request: opened before the backend is asked, closed whatever happened.

Today it is one log line; records, reservations and the board of requests in flight have their place between
`open_record` and `close`. No prompt and no answer is ever recorded.
"""

from __future__ import annotations

import time

import msgspec
import structlog

from accounts.directory import Caller
from usage.attempt_record import AttemptRecords

MOST_CHARACTERS = 300
"""Of a name or a reason: clients choose names."""

log = structlog.get_logger("llamagate.request")


class UsageRecord(msgspec.Struct):
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
    is_estimated: bool = False
    """Whether the tokens are estimated, since the backend does not count all of them."""
    outcome: str = ""
    attempts: AttemptRecords = AttemptRecords()
    """Each try of a target, with its calls."""


def open_record(
    request_id: str, endpoint: str, caller: Caller, alias: str, *, streamed: bool, started_ns: int = 0
) -> UsageRecord:
    """Begin to record a request that began at `started_ns`, or now."""
    started_ns = started_ns or time.monotonic_ns()
    return UsageRecord(request_id, endpoint, caller.team, caller.key_id, alias, streamed, started_ns)


def close_record(record: UsageRecord, outcome: str, reason: str = "") -> None:
    """Record how a request ended: ok, error, client_closed. Closing twice records once.

    `reason` stands in the log: of words of clients and backends it holds an excerpt.
    """
    if record.outcome:
        return
    record.outcome = outcome
    record.ended_ns = record.ended_ns or time.monotonic_ns()
    log.info(
        "request",
        endpoint=record.endpoint,
        team=record.team,
        key=record.key_id,
        alias=record.alias[:MOST_CHARACTERS],
        backend=record.backend,
        model=record.upstream_model[:MOST_CHARACTERS],
        outcome=outcome,
        reason=reason[:MOST_CHARACTERS],
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        **({"estimated": True} if record.is_estimated else {}),
        first_ms=_ms(record.first_ns, record.started_ns),
        ms=_ms(record.ended_ns, record.started_ns),
        attempts=record.attempts,
    )


def _ms(until_ns: int, since_ns: int) -> float:
    return round((until_ns - since_ns) / 1e6, 2) if until_ns else 0.0
