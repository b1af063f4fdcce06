"""Token counts and times, wherever and however a backend tells them. Pure."""

from __future__ import annotations

from typing import Any

from backends.wire.openai_types import ServerTimings, Usage

LARGEST_COUNT = 10**9


def read_timings(usage: Usage) -> ServerTimings | None:
    """Read the seconds of Groq and Cerebras, from whatever holds them."""
    if usage.prompt_time is None and usage.completion_time is None:
        return None
    return ServerTimings(
        prompt_ms=(usage.prompt_time or 0) * 1000, predicted_ms=(usage.completion_time or 0) * 1000
    )


def check_counts(usage: Usage, counts: str) -> Usage | None:
    """Give whole, sensible counts. All of them zero say nothing."""
    prompt = _first(usage.prompt_tokens, usage.input_tokens)
    if prompt is None and usage.prompt_cache_miss_tokens is not None:
        prompt = (read_count(usage.prompt_cache_hit_tokens) or 0) + (
            read_count(usage.prompt_cache_miss_tokens) or 0
        )
    completion, total = _first(usage.completion_tokens, usage.output_tokens), read_count(usage.total_tokens)
    if total and prompt is not None and total >= prompt and (counts == "total" or completion is None):
        completion = total - prompt
    if not prompt and not completion:
        return None
    cached = _detail(usage.prompt_tokens_details, "cached_tokens")
    if cached is None:
        cached = read_count(usage.cached_tokens or usage.prompt_cache_hit_tokens)
    thought = _detail(usage.completion_tokens_details, "reasoning_tokens")
    return Usage(prompt, completion, total, cached_tokens=cached, reasoning_tokens=thought)


def _first(count: float | None, other: float | None) -> int | None:
    """Read a count under whichever of two names it can be understood."""
    found = read_count(count)
    return found if found is not None else read_count(other)


def _detail(details: Any, name: str) -> int | None:
    """Read what a part of a count is said to be."""
    count = details.get(name) if isinstance(details, dict) else None
    return read_count(count) if isinstance(count, int | float) else None


def read_count(count: float | None) -> int | None:
    """Read a count; one that cannot be, below nothing or beyond all bounds, is none."""
    if count is None or not 0 <= count <= LARGEST_COUNT:
        return None
    return int(count)
