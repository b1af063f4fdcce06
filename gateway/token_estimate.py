"""The one estimate of tokens, for limits, `count_tokens`, and backends that count nothing. Pure.

A backend's tokenizer is its own secret; what it counted is in its answer's usage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from backends.wire.openai_types import ServerTimings, Usage
from gateway.generation import GenerationRequest
from gateway.translate.reasoning_replay import THOUGHT
from gateway.translate.token_usage import counts

BYTES_PER_TOKEN = 4
"""A rule of thumb. Source: Ollama v0.33 `anthropic/anthropic.go:estimateTokens`."""
LARGEST_KEPT = 64 * 1024
"""Bytes of a request that is kept while its answer comes, should it have to be estimated."""
UNCOUNTED = ("image_url", "input_audio", "file", THOUGHT)


def estimate_input(request: GenerationRequest) -> int:
    """Estimate the input tokens of a request, with what its mapping adds once the rules are applied.

    One per four bytes of text and of field names; images, sounds and files do not count. A system
    prompt counts as its text alone, as Ollama counts it.
    """
    turns = request.turns
    if request.system and turns and turns[0]["content"] == request.system:
        turns = turns[1:]
    return estimate_tokens([request.system, turns, request.tools])


def estimate_prompt(operation: Any, body_size: int) -> int:
    """Estimate the input tokens of whatever is asked; `body_size`: bytes of the body that a backend got."""
    if not isinstance(operation, GenerationRequest):
        return max(1, body_size // BYTES_PER_TOKEN)
    if operation.prompt is None:
        return estimate_input(operation)
    prompt = operation.prompt
    return estimate_tokens([prompt.system, prompt.earlier, prompt.text, prompt.suffix])


def complete_counts(
    usage: Usage | None, server: ServerTimings | None, estimate: Callable[[], int], pieces: int
) -> Usage | None:
    """Put estimates in the place of counts that a backend did not give. None: it gave them.

    `pieces`: how many deltas the answer came in, which is the nearest to its tokens that is known.
    """
    prompt, completion = counts(usage, server)
    if prompt and (completion or not pieces):
        return None
    return msgspec.structs.replace(
        usage or Usage(), prompt_tokens=prompt or estimate(), completion_tokens=completion or pieces
    )


def estimate_tokens(value: Any) -> int:
    """Estimate the tokens of JSON values; at least one."""
    return max(1, _count_bytes(value) // BYTES_PER_TOKEN)


def _count_bytes(value: Any) -> int:
    """Count without recursion: a schema may be nested deeper than calls may be."""
    total, rest = 0, [value]
    while rest:
        inner = rest.pop()
        if isinstance(inner, str):
            total += len(inner.encode())
        elif isinstance(inner, dict):
            counted = {name: part for name, part in inner.items() if name not in UNCOUNTED}
            total += sum(map(len, counted))
            rest += counted.values()
        elif isinstance(inner, list):
            rest += inner
    return total
