"""/v1/messages and /v1/responses towards a backend that has them itself: what came passes, both ways. Pure.

The mapping's rules are applied to the body, and the client's name for the model is put back into the answer.
Members that neither is about travel as the bytes that they came as.
Source: Anthropic API reference, "Streaming messages"; OpenAI API reference, "Responses", "Streaming events".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.dialect import Dialect
from backends.wire.openai_types import BadReply, Usage
from gateway import counts
from gateway.errors import BadRequest, Failure
from gateway.translate.assembly import Assembly
from gateway.translate.diagnostics import PLAIN, TranslationContext
from gateway.translate.token_usage import Timings, measure
from ollama_api.anthropic import reply as anthropic_reply
from ollama_api.json_encoding import to_json
from ollama_api.ollama.types import Metrics
from ollama_api.openai import chat as openai
from ollama_api.openai.chat import NULL, Fields, OpenAICall, fields_decoder, raw
from ollama_api.responses import reply as responses_reply


class Passing(msgspec.Struct, frozen=True, kw_only=True):
    """Where one of these protocols keeps what we look at."""

    inner: str
    """The member of an event that holds the whole answer as far as it is known."""
    system: str
    turns: str
    roles: frozenset[str]
    """Who may speak in `turns`."""
    names: Dialect
    """The names of options. No backend speaks it, so it is in no table."""
    heads: frozenset[str]
    """Events that say nothing yet."""
    ends: frozenset[str]
    error_body: Callable[[Failure, str], Any]
    """Write a failure as the data of an event."""


MESSAGES = Passing(
    inner="message",
    system="system",
    turns="messages",
    roles=frozenset({"user", "assistant"}),
    names=Dialect(
        name="messages",
        label="",
        options={
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "stop": "stop_sequences",
        },
    ),
    heads=frozenset({"message_start", "ping"}),
    ends=frozenset({"message_stop"}),
    error_body=anthropic_reply.error_body,
)
RESPONSES = Passing(
    inner="response",
    system="instructions",
    turns="input",
    roles=frozenset({"user", "assistant", "system"}),
    names=Dialect(
        name="responses",
        label="",
        max_tokens="max_output_tokens",
        options={"temperature": "temperature", "top_p": "top_p"},
    ),
    heads=frozenset({"response.created", "response.in_progress", "response.queued"}),
    ends=frozenset({"response.completed", "response.incomplete", "response.failed"}),
    error_body=lambda failure, rid: {"type": "error", **responses_reply.error_fields(failure, rid)},
)


class Counted(msgspec.Struct):
    """Token counts, as both protocols name them."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Event(msgspec.Struct):
    """An event or a whole answer: all of it, and whether it begins to answer."""

    fields: Fields
    type: str
    choices: bool
    error: Any = None


_name = msgspec.json.Decoder(str | None)
_counted = msgspec.json.Decoder(Counted | None)


def model_of(body: bytes) -> str:
    """Read the model as the request itself would be read; empty when there is none."""
    try:
        return openai.parse(body).model
    except BadRequest:
        return ""


def to_upstream(
    kind: Passing, call: OpenAICall, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> Fields:
    """Make the backend's body: options, system prompt and example turns by the mapping's rules."""
    fields = openai.with_model(call, target, aside.notes)
    fields = openai.with_options(fields, rule, kind.names, aside.notes) | {"model": raw(target.model)}
    if rule.system and fields.get(kind.system, NULL) == NULL:
        aside.notes.added(kind.system, "the mapping's system prompt")
        fields[kind.system] = raw(rule.system)
    examples = [turn for turn in rule.messages if turn["role"] in kind.roles]
    turns = _turns(fields.get(kind.turns, NULL)) if examples else None
    if turns is not None:
        aside.notes.added(kind.turns, "the mapping's example turns")
    return fields if turns is None else fields | {kind.turns: raw([*examples, *turns])}


def _turns(given: msgspec.Raw) -> list[Any] | None:
    """List the turns; a text alone is the user's. None: it is neither, which is the backend's to refuse."""
    try:
        value = msgspec.json.decode(given, type=list[msgspec.Raw] | str)
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    counts.check("messages", counts.MOST_TURNS, len(value))
    return value


def decoder(kind: Passing) -> Callable[[bytes], Event]:
    """Make the reader of events. It raises `BadReply`."""

    def decode(data: bytes) -> Event:
        try:
            fields = fields_decoder.decode(data)
            name = _name.decode(fields["type"]) or "" if "type" in fields else ""
            error = msgspec.json.decode(fields["error"]) if "error" in fields else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise BadReply(str(problem)) from None
        if name == "error" and error is None:
            error = {member: msgspec.json.decode(value) for member, value in fields.items()}
        return Event(fields, name, name not in kind.heads, error)

    return decode


def from_upstream(call: OpenAICall, event: Event, timings: Timings, now_ns: int) -> tuple[Fields, Metrics]:
    """Give a whole answer back under the client's name for the model."""
    usage = _usage(event.fields)
    return {**event.fields, "model": raw(call.model)}, measure(usage, None, timings)


class PassedStream:
    """Events pass as they are, but for the model's name."""

    def __init__(self, kind: Passing, call: OpenAICall) -> None:
        self.assembly = Assembly()
        self._kind = kind
        self._model = raw(call.model)
        self._held: list[bytes] = []

    def feed(self, events: list[Event], now_ns: int) -> bytes:
        """Pass on the events of one read; empty while nothing was said, so that a failure has a status."""
        self._held += map(self._line, events)
        if not self.assembly.has_text:
            return b""
        lines = b"".join(self._held)
        self._held.clear()
        return lines

    def _line(self, event: Event) -> bytes:
        self.assembly.has_text |= event.choices
        if event.type in self._kind.ends:
            self.assembly.finish_reason = event.type
        self._count(event.fields)
        inner = event.fields.get(self._kind.inner, NULL)
        if bytes(memoryview(inner)[:1]) == b"{":
            whole = fields_decoder.decode(inner)
            self._count(whole)
            event.fields[self._kind.inner] = raw({**whole, "model": self._model})
        return b"event: %b\ndata: %b\n\n" % (event.type.encode(), _on_one_line(event.fields))

    def _count(self, fields: Fields) -> None:
        """Take what is counted, wherever it is told: the input first, the output at the end."""
        found = _usage(fields)
        if found is not None:
            before = self.assembly.usage or Usage()
            self.assembly.usage = Usage(
                found.prompt_tokens if found.prompt_tokens is not None else before.prompt_tokens,
                found.completion_tokens if found.completion_tokens is not None else before.completion_tokens,
            )

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, Metrics]:
        """End the stream. The backend's own last event has been passed on."""
        return b"".join(self._held), measure(self.assembly.usage, None, timings)

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Tell what went wrong in an event."""
        return b"event: error\ndata: " + to_json(self._kind.error_body(failure, request_id)) + b"\n\n"


def _usage(fields: Fields) -> Usage | None:
    if "usage" not in fields:
        return None
    try:
        counted = _counted.decode(fields["usage"])
    except msgspec.DecodeError:
        return None
    return Usage(counted.input_tokens, counted.output_tokens) if counted is not None else None


def _on_one_line(fields: Fields) -> bytes:
    data = msgspec.json.encode(fields)
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data
