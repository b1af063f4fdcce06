"""Admission of a request, and the lease that it holds until its end.

A lease owns the request's record and its attempts (later: its reservation and its slot). It passes to the
answer, and is settled exactly once, on every end: finished, cut, client gone, cancelled, shut down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from backends.errors import UpstreamError
from backends.health import board as health_board
from backends.routing.snapshot import Route
from gateway import replay_store
from gateway.answer import AnswerMetrics
from gateway.attempt import Attempt, describe_outcome, make_records
from gateway.context import RequestContext
from gateway.diagnostics import Note
from gateway.errors import put_asked_name, reason_of
from gateway.plan import Candidate, Plan
from gateway.token_estimate import complete_counts
from gateway.translate.assembly import Assembly
from gateway.translate.token_usage import Timings
from usage import ledger
from usage.ledger import UsageRecord

INTERRUPTED = {"client_closed": "client_closed"}
"""Reason for cancelling -> outcome; what is not here is an error of ours or of the deadline."""
CANCELLED = {
    "shutdown": "the server stopped",
    "operator": "cancelled by the operator",
    "deadline": "its time was over",
}

ESTIMATED = "token counts of the answer are estimated: the backend does not give all of them"


class Lease:
    """What one admitted request holds."""

    __slots__ = (
        "alias",
        "asked",
        "attempts",
        "context",
        "estimate_prompt",
        "forced_options",
        "mapping",
        "record",
    )

    def __init__(self, context: RequestContext, record: UsageRecord, asked: str = "") -> None:
        self.context = context
        self.asked = asked
        """The model's name as the client wrote it."""
        self.record = record
        self.alias = record.alias
        """The canonical name of the model."""
        self.mapping = ""
        """The name or pattern of its mapping."""
        self.forced_options: Mapping[str, Any] = {}
        """Ollama's options that its mapping forces."""
        self.attempts: list[Attempt] = []
        self.estimate_prompt: Callable[[], int] | None = None
        """Estimates the tokens of what was asked, for a backend that counts none."""

    def begin_attempt(self, candidate: Candidate) -> Attempt:
        """Begin to try a target."""
        attempt = Attempt(candidate, is_trial=health_board.begin_call(candidate.target))
        self.attempts.append(attempt)
        self.record.backend = candidate.target.upstream.name
        self.record.upstream_model = candidate.target.model
        return attempt

    def fail_attempt(self, attempt: Attempt, error: Exception) -> None:
        """Note that a target did not answer, or not to its end. Only the first end of an attempt counts."""
        if attempt.outcome:
            return
        if isinstance(error, UpstreamError) and self.context.purpose == "client":
            health_board.note_failure(attempt.candidate.target, error)
        self._end_attempt(attempt, describe_outcome(error))

    def _end_attempt(self, attempt: Attempt, outcome: str) -> None:
        if not attempt.outcome:
            attempt.end(outcome)
            health_board.end_call(attempt.candidate.target, is_trial=attempt.is_trial)

    def note_answer(self, attempt: Attempt) -> None:
        """Note that a target began to answer."""
        if self.context.purpose == "client":
            first_token_s = (attempt.first_ns - attempt.sent_ns) / 1e9 if attempt.first_ns else None
            health_board.note_success(attempt.candidate.target, first_token_s)

    def measure_times(self) -> Timings:
        """Give the four points that durations are measured by."""
        record, attempt = self.record, self.attempts[-1]
        return Timings(
            record.started_ns,
            attempt.sent_ns,
            attempt.first_ns or time.monotonic_ns(),
            attempt.ended_ns or time.monotonic_ns(),
            attempt.head_ns,
        )

    def measure_embedding(self, tokens: int) -> AnswerMetrics:
        """Measure a request that generates nothing: its duration, the time until it was sent, its tokens."""
        record, sent_ns = self.record, self.attempts[-1].sent_ns if self.attempts else 0
        return AnswerMetrics(
            total_duration=time.monotonic_ns() - record.started_ns,
            load_duration=max(1, sent_ns - record.started_ns),
            prompt_eval_count=tokens,
        )

    def estimate_counts(self, assembly: Assembly) -> None:
        """Estimate what a backend did not count: clients with types drop all figures for one that is missing.

        An Ollama is told as it is: it leaves out the count of a prompt that it has in its cache.
        """
        usage = assembly.usage
        if usage is not None and usage.prompt_tokens and usage.completion_tokens:
            return
        if self.estimate_prompt is None or self.attempts[-1].candidate.target.dialect.protocol == "ollama":
            return
        usage = complete_counts(assembly.usage, assembly.timings, self.estimate_prompt, assembly.pieces)
        if usage is not None:
            assembly.usage = usage
            self.mark_as_estimate()

    def mark_as_estimate(self) -> None:
        """Mark the counts of this request as estimated, for the log and for who asked for an account."""
        self.record.is_estimated = True
        if self.context.reports:
            self.context.reports[-1].notes.append(Note("", "added", "", ESTIMATED))

    def settle(self, metrics: AnswerMetrics | None = None, assembly: Assembly | None = None) -> None:
        """Record a complete answer, and keep what its backend wants back with the results of its calls."""
        if assembly is not None and (replay := assembly.collect_replay_data()):
            replay_store.keep(self.context.caller, self.alias, replay)
        if metrics is not None:
            self.record.prompt_tokens = metrics.prompt_eval_count
            self.record.completion_tokens = metrics.eval_count
        self._close("ok", self.context.detail)

    def fail(self, error: Exception) -> None:
        """Record that there was no answer, or none to its end, and put the client's words into the error."""
        if self.attempts:
            self.fail_attempt(self.attempts[-1], error)
        self._close("error", reason_of(error))
        if self.attempts and self.asked:
            target = self.attempts[-1].candidate.target
            if target.dialect.protocol == "ollama":  # it quotes the name by which it was asked
                put_asked_name(error, target.model, self.asked)

    def interrupt(self) -> None:
        """Record a request that was cancelled, with the reason; after any other end this does nothing."""
        if self.record.outcome:
            return
        if self.attempts:
            self.attempts[-1].end("cancelled")
        reason = self.context.cancel_reason or "shutdown"
        self._close(INTERRUPTED.get(reason, "error"), CANCELLED.get(reason, ""))

    def _close(self, outcome: str, reason: str = "") -> None:
        if self.record.outcome:
            return
        if self.attempts:
            for attempt in self.attempts:
                self._end_attempt(attempt, outcome)
            last = self.attempts[-1]
            self.record.sent_ns, self.record.first_ns = last.sent_ns, last.first_ns
            self.record.ended_ns = last.ended_ns
            self.record.attempts = make_records(self.attempts, self.record.started_ns)
        ledger.close_record(self.record, outcome, reason)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Settle a request that does not come to its own end: it failed, or it was cancelled."""
        try:
            yield
        except asyncio.CancelledError:
            self.interrupt()
            raise
        except Exception as error:  # recorded here, answered at the door
            self.fail(error)
            raise


def open_lease(context: RequestContext, api: str, model: str, *, streamed: bool) -> Lease:
    """Open the record of a request, as soon as it is known what is asked."""
    context.record = ledger.open_record(
        context.request_id, api, context.caller, model, streamed=streamed, started_ns=context.started_ns
    )
    return Lease(context, context.record, model)


async def admit(lease: Lease, route: Route, plan: Plan) -> None:
    """Admit a request. Limits and queues have their place here."""
    lease.alias, lease.mapping = route.alias, route.rule.name
    lease.forced_options = route.rule.forced_options
