"""Ollama's own answers, read as a chat completion's: for backends that are Ollama or another Llamagate. Pure.

Text, thinking, calls with their arguments as they came, counts, durations and log probabilities: what a line
holds is in the reply. Source: Ollama `api/types.go`, ChatResponse and GenerateResponse.
"""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire import lenient
from backends.wire.embedding_replies import write_vector
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
from backends.wire.token_counts import read_count

NS_PER_MS = 1e6
NUMBERS = ("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration")


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        line = _read_lenient(data)
    if line.error is not None:
        return Reply(error=line.error)
    message = line.message or Message(line.response, line.thinking)
    calls = [_call(call) for call in message.tool_calls or ()]
    choice = Choice(
        delta=Delta(content=message.content, reasoning_content=message.thinking, tool_calls=calls or None),
        finish_reason=plain_reason(line.done_reason or "stop") if line.done else None,
        logprobs=Logprobs(line.logprobs) if line.logprobs else None,
    )
    return Reply([choice], _usage(line), _timings(line), context=line.context)


def _read_lenient(data: bytes) -> Line:
    """Read a line that strict JSON or our types refuse, as far as it makes sense. Raises `BadReply`."""
    value = lenient.clean(lenient.loads(data))
    if not isinstance(value, dict):
        raise BadReply("a line that is no object")
    message = value.get("message")
    context, logprobs = value.get("context"), lenient.list_objects(value.get("logprobs"))
    return Line(
        message=_read_message(message) if isinstance(message, dict) else None,
        response=lenient.read_text(value.get("response")),
        thinking=lenient.read_text(value.get("thinking")),
        done=bool(value.get("done")),
        done_reason=lenient.read_text(value.get("done_reason")),
        context=context if isinstance(context, list) else None,
        logprobs=logprobs or None,
        error=value.get("error"),
        **{name: lenient.read_number(value.get(name)) for name in NUMBERS},
    )


def _read_message(value: dict[str, Any]) -> Message:
    calls = lenient.list_objects(value.get("tool_calls"))
    return Message(
        lenient.read_text(value.get("content")),
        lenient.read_text(value.get("thinking")),
        [_read_call(call) for call in calls] or None,
    )


def _read_call(value: dict[str, Any]) -> Call:
    function, given = value.get("function"), value.get("id")
    call_id = None if given is None else str(given)
    if not isinstance(function, dict):
        return Call(None, call_id)
    arguments = msgspec.Raw(msgspec.json.encode(function.get("arguments") or {}))
    return Call(Function(lenient.read_text(function.get("name")), arguments), call_id)


def _call(call: Call) -> ToolCallDelta:
    """A name begins a call, so that two without ids are two."""
    function = call.function or Function()
    return ToolCallDelta(
        None, call.id or None, FunctionDelta(function.name, bytes(function.arguments).decode())
    )


def _usage(line: Line) -> Usage | None:
    """Give the counts, at the end; what cannot be one is none."""
    if not line.done:
        return None
    return Usage(read_count(line.prompt_eval_count), read_count(line.eval_count))


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _read_vectors(data)
    vectors = [Embedding(vector, place) for place, vector in enumerate(answer.embeddings or ())]
    return EmbeddingReply(vectors, Usage(read_count(answer.prompt_eval_count)), answer.error)


def _read_vectors(data: bytes) -> Embedded:
    value = lenient.loads(data)
    if not isinstance(value, dict):
        raise BadReply("embeddings that are no object")
    vectors = value.get("embeddings")
    return Embedded(
        [write_vector(one) for one in vectors] if isinstance(vectors, list) else None,
        lenient.read_number(value.get("prompt_eval_count")),
        lenient.clean(value.get("error")),
    )
