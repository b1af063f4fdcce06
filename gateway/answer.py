"""The neutral answer: what a backend said, whatever its protocol and whatever API the client speaks. Pure."""

from __future__ import annotations

from typing import Any

import msgspec


class AnswerFunction(msgspec.Struct, frozen=True):
    """The function that a tool call names: `arguments` is a JSON object, as bytes."""

    index: int
    name: str
    arguments: msgspec.Raw


class AnswerToolCall(msgspec.Struct, frozen=True):
    """A whole tool call. Ollama's API writes it as it stands."""

    id: str
    function: AnswerFunction


class AnswerMetrics(msgspec.Struct, frozen=True):
    """Token counts, and durations in nanoseconds, under Ollama's names. Zero means unknown."""

    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0


class AnswerPart(msgspec.Struct, gc=False):
    """What one chunk of an answer added, or all of a whole one."""

    content: str = ""
    thinking: str = ""
    logprobs: list[dict[str, Any]] | None = None
