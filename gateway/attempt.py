"""One try of one target: what was asked of it, when, and how it ended."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from backends.errors import UpstreamError
from gateway.plan import Candidate

Outcome = str
"""`ok`, or the class of what went wrong: `timeout`, `unreachable`, `rejected`, ... ; empty: under way."""


class UpstreamCallRecord(msgspec.Struct):
    """One call to a backend. Embeddings in parts make several in one attempt."""

    path: str
    sent_ns: int
    ended_ns: int = 0
    outcome: Outcome = ""


class Attempt(msgspec.Struct):
    """A try. Times are nanoseconds of the monotonic clock."""

    candidate: Candidate
    sent_ns: int = 0
    head_ns: int = 0
    """When the head of an answer came that then came in one piece; 0 of one that was streamed."""
    first_ns: int = 0
    ended_ns: int = 0
    outcome: Outcome = ""
    emulated_stops: list[str] = []
    """Stop strings that were not sent, and are looked for in the answer."""
    calls: list[UpstreamCallRecord] = []

    def begin_call(self) -> UpstreamCallRecord:
        """Note that a call goes out."""
        self.sent_ns = time.monotonic_ns()
        call = UpstreamCallRecord(self.candidate.route.path, self.sent_ns)
        self.calls = [*self.calls, call] if self.calls else [call]
        return call

    def fail(self, error: BaseException) -> None:
        """Note that the try came to nothing. Only the first end counts."""
        self.end(describe_outcome(error))

    def end(self, outcome: Outcome) -> None:
        """Note how the try ended, once."""
        if self.outcome:
            return
        self.ended_ns = self.ended_ns or time.monotonic_ns()
        self.outcome = outcome
        for call in self.calls:
            if not call.outcome:
                call.ended_ns, call.outcome = self.ended_ns, outcome

    def to_record(self) -> dict[str, Any]:
        """Give plain values for the record and the log line: milliseconds, and no sentence of a backend."""
        target = self.candidate.target
        return {
            "backend": target.upstream.name,
            "model": target.model,
            "path": self.candidate.route.path,
            "outcome": self.outcome,
            "ms": round((self.ended_ns - self.sent_ns) / 1e6, 2) if self.ended_ns and self.sent_ns else 0.0,
            "calls": len(self.calls),
        }


def describe_outcome(error: BaseException) -> Outcome:
    """Name the class of an error in the field's words: `unreachable`, `timeout`, `rejected 429`, ..."""
    if isinstance(error, UpstreamError):
        kind = type(error).__name__.removeprefix("Upstream").lower()
        status = getattr(error, "status", None)
        return f"{kind} {status}" if status is not None else kind
    return "error" if isinstance(error, Exception) else "cancelled"
