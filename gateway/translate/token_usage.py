"""Counts and durations of an answer. Pure: the times come in.

A backend's own measurements win; else the first event counts as the end of prompt evaluation, or the head of
an answer that came whole. Clients divide by the durations, so none is zero beside a count, nor a nanosecond
beside hundreds of tokens.
"""

from __future__ import annotations

import msgspec

from backends.wire.openai_types import ServerTimings, Usage
from backends.wire.token_counts import LARGEST_COUNT
from gateway.answer import AnswerMetrics

LONGEST_MS = 24 * 3600 * 1000


class Timings(msgspec.Struct):
    """Points of an exchange, nanoseconds of one clock: received, sent on, first event, end."""

    started_ns: int
    sent_ns: int
    first_ns: int
    ended_ns: int
    head_ns: int = 0
    """When the head of an answer came that then came in one piece; 0 of one that was streamed."""


def find_generation_start(timings: Timings) -> int:
    """Give the point that counts as the end of prompt evaluation.

    Of an answer that came in one piece it is the head's, where that came well before the end. Most servers
    send both when all is done: then nobody knows how long the prompt took, and all of the time counts for the
    answer.
    """
    if not timings.head_ns:
        return timings.first_ns
    is_early = timings.ended_ns - timings.head_ns >= timings.head_ns - timings.sent_ns
    # A nanosecond is what a duration is at least, and the parts fit into the whole.
    return timings.head_ns if is_early else timings.sent_ns + 1


def measure(usage: Usage | None, server: ServerTimings | None, timings: Timings) -> AnswerMetrics:
    """Fill Ollama's six figures."""
    prompt_count, eval_count = counts(usage, server)
    first_ns = find_generation_start(timings)
    prompt_ns = _ms_to_ns(server.prompt_ms) if server else 0
    eval_ns = _ms_to_ns(server.predicted_ms) if server else 0
    return AnswerMetrics(
        total_duration=max(1, timings.ended_ns - timings.started_ns),
        load_duration=max(1, timings.sent_ns - timings.started_ns),
        prompt_eval_count=prompt_count,
        prompt_eval_duration=prompt_ns or max(1, first_ns - timings.sent_ns),
        eval_count=eval_count,
        eval_duration=eval_ns or max(1, timings.ended_ns - first_ns),
    )


def counts(usage: Usage | None, server: ServerTimings | None) -> tuple[int, int]:
    """Give (prompt tokens, completion tokens); 0 when the backend did not say."""
    if usage is not None and usage.prompt_tokens is not None:
        return _count(usage.prompt_tokens), _count(usage.completion_tokens)
    if server is not None:
        return _count(server.prompt_n) + _count(server.cache_n), _count(server.predicted_n)
    return 0, 0


def _count(value: float | None) -> int:
    """A count beyond all bounds is none, and must not reach a database column."""
    return int(value) if value is not None and 0 <= value <= LARGEST_COUNT else 0


def _ms_to_ns(milliseconds: float | None) -> int:
    return int(milliseconds * 1e6) if milliseconds is not None and 0 <= milliseconds <= LONGEST_MS else 0
