"""Ollama's own answers, read as a chat completion's: for backends that are Ollama or another Llamagate. Pure.

Text, thinking, calls with their arguments as they came, counts, durations and log probabilities: what a line
holds is in the reply. Source: Ollama `api/types.go`, ChatResponse and GenerateResponse.
"""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.finish_reasons import plain_reason
from backends.wire.openai_types import (
    BadReply,
    Choice,
    Delta,
    Embedding,
    EmbeddingReply,
    FunctionDelta,
    Logprobs,
    Reply,
    ServerTimings,
    ToolCallDelta,
    Usage,
)

NS_PER_MS = 1e6


class Function(msgspec.Struct):
    """A called function, with its arguments as they came."""

    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Call(msgspec.Struct):
    """A whole call. Servers that are not Ollama leave things out, or say null."""

    function: Function | None = None
    id: str | None = None


class Message(msgspec.Struct):
    """What a line of a chat adds."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class Line(msgspec.Struct):
    """A line of a stream, or a whole answer, of a chat or of a generation."""

    message: Message | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    done_reason: str | None = None
    context: list[Any] | None = None
    logprobs: list[dict[str, Any]] | None = None
    prompt_eval_count: float | None = None
    prompt_eval_duration: float | None = None
    eval_count: float | None = None
    eval_duration: float | None = None
    error: Any = None


class Embedded(msgspec.Struct):
    """The answer of /api/embed."""

    embeddings: list[msgspec.Raw] | None = None
    prompt_eval_count: float | None = None
    error: Any = None


_lines = msgspec.json.Decoder(Line)
_embedded = msgspec.json.Decoder(Embedded)


def decode_line(data: bytes) -> Reply:
    """Read a line, or a whole answer. Raises `BadReply`."""
    try:
        line = _lines.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(str(error)) from None
    if line.error is not None:
        return Reply(error=line.error)
    said = line.message or Message(line.response, line.thinking)
    calls = [_call(call) for call in said.tool_calls or ()]
    choice = Choice(
        delta=Delta(content=said.content, reasoning_content=said.thinking, tool_calls=calls or None),
        finish_reason=plain_reason(line.done_reason or "stop") if line.done else None,
        logprobs=Logprobs(line.logprobs) if line.logprobs else None,
    )
    return Reply([choice], _usage(line), _timings(line), context=line.context)


def _call(call: Call) -> ToolCallDelta:
    """A name begins a call, so that two without ids are two."""
    function = call.function or Function()
    return ToolCallDelta(
        None, call.id or None, FunctionDelta(function.name, bytes(function.arguments).decode())
    )


def _usage(line: Line) -> Usage | None:
    return Usage(line.prompt_eval_count, line.eval_count) if line.done else None


def _timings(line: Line) -> ServerTimings | None:
    if not line.done:
        return None
    return ServerTimings(
        prompt_ms=(line.prompt_eval_duration or 0) / NS_PER_MS,
        predicted_ms=(line.eval_duration or 0) / NS_PER_MS,
    )


def decode_embeddings_reply(data: bytes) -> EmbeddingReply:
    """Read the answer of /api/embed. Raises `BadReply`."""
    try:
        answer = _embedded.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(str(error)) from None
    vectors = [Embedding(vector, place) for place, vector in enumerate(answer.embeddings or ())]
    return EmbeddingReply(vectors, Usage(answer.prompt_eval_count), answer.error)
