"""One try of one target: what was asked of it, when, how it ended, and what came of the answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec

from backends.errors import UpstreamError
from backends.upstream.client import CallProgress
from gateway.plan import Candidate
from usage.attempt_record import MOST_ATTEMPTS, MOST_CALLS, AttemptRecord, AttemptRecords, CallRecord

Outcome = str
"""`ok`, `cancelled`, or the class of what went wrong: `timeout`, `rejected 429`, ...; empty: under way."""
MOST_CHARACTERS = 200
"""Of a model's name in the record: clients choose names."""


class UpstreamCallState(CallProgress):
    """One call to a backend. Embeddings in parts make several in one attempt."""

    __slots__ = ("answer_bytes", "ended_ns", "outcome")

    def __init__(self) -> None:
        super().__init__()
        self.ended_ns = 0
        self.answer_bytes = 0
        """How many bytes of its answer came, once it is over."""
        self.outcome: Outcome = ""

    def to_records(self, started_ns: int) -> Iterator[CallRecord]:
        """Give plain values of every time that it was sent, for a request that began at `started_ns`."""
        for send in self.refused:
            sent_ms, ms = _ms(send.sent_ns - started_ns), _ms(send.ended_ns - send.sent_ns)
            yield CallRecord(f"rejected {send.status}", sent_ms, ms)
        if self.sent_ns:
            sent_ms, ms = _ms(self.sent_ns - started_ns), _ms(self.ended_ns - self.sent_ns)
            yield CallRecord(self.outcome, sent_ms, ms, self.answer_bytes)


class Attempt(msgspec.Struct):
    """A try. Times are nanoseconds of the monotonic clock, 0 when that point was not reached."""

    candidate: Candidate
    sent_ns: int = 0
    """When its first call went out."""
    head_ns: int = 0
    """When the head of an answer came that then came in one piece; 0 of one that was streamed."""
    first_ns: int = 0
    ended_ns: int = 0
    outcome: Outcome = ""
    is_trial: bool = False
    """Whether a circuit breaker let it through to find out."""
    body_size: int = 0
    """Bytes of the body of the last call."""
    emulated_stops: list[str] = []
    """Stop strings that were not sent, and are looked for in the answer."""
    calls: list[UpstreamCallState] = []
    """The first of its calls."""
    more_calls: int = 0
    """How many there were beside these."""
    answer_bytes: int = 0
    """What came of the answers to all calls that are over."""

    def begin_call(self) -> UpstreamCallState:
        """Note that a call goes out."""
        call = UpstreamCallState()
        self.sent_ns = self.sent_ns or call.sent_ns
        if len(self.calls) < MOST_CALLS:
            self.calls.append(call)
        else:
            self.more_calls += 1
        return call

    def end_call(self, call: UpstreamCallState, outcome: Outcome, ended_ns: int = 0) -> None:
        """Note how a call ended, at `ended_ns` or now."""
        call.outcome = outcome
        call.ended_ns = ended_ns or time.monotonic_ns()
        if call.content is not None:
            call.answer_bytes = call.content.total_bytes
            call.content = None  # lets go of the response
            self.answer_bytes += call.answer_bytes

    def end(self, outcome: Outcome) -> None:
        """Note how the try ended, once, and with it the calls that are still open."""
        if self.outcome:
            return
        self.outcome = outcome
        self.ended_ns = self.ended_ns or time.monotonic_ns()
        for call in self.calls:
            if not call.outcome:
                self.end_call(call, outcome, self.ended_ns)

    def to_record(self, started_ns: int) -> AttemptRecord:
        """Give plain values for the record and the log, for a request that began at `started_ns`."""
        target = self.candidate.target
        calls = [record for call in self.calls for record in call.to_records(started_ns)]
        return AttemptRecord(
            target.upstream.name[:MOST_CHARACTERS],
            target.model[:MOST_CHARACTERS],
            self.candidate.route.path,
            self.outcome,
            _ms(self.sent_ns - started_ns) if self.sent_ns else 0.0,
            _ms(self.ended_ns - self.sent_ns) if self.sent_ns else 0.0,
            _ms(self.first_ns - started_ns) if self.first_ns else 0.0,
            self.answer_bytes,
            len(self.emulated_stops),
            tuple(calls[:MOST_CALLS]),
            self.more_calls + max(0, len(calls) - MOST_CALLS),
        )


def make_records(attempts: Sequence[Attempt], started_ns: int) -> AttemptRecords:
    """Make plain values of the first attempts of a request that began at `started_ns`."""
    return AttemptRecords([attempt.to_record(started_ns) for attempt in attempts[:MOST_ATTEMPTS]])


def _ms(span_ns: int) -> float:
    return round(span_ns / 1e6, 2)


def describe_outcome(error: BaseException) -> Outcome:
    """Name the class of an error in the field's words: `unreachable`, `timeout`, `rejected 429`, ..."""
    if isinstance(error, UpstreamError):
        kind = type(error).__name__.removeprefix("Upstream").lower()
        status = getattr(error, "status", None)
        return f"{kind} {status}" if status is not None else kind
    return "error" if isinstance(error, Exception) else "cancelled"
