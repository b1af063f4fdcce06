"""Answers that pass to the client as they came: what they mean to us, and all of them. Pure.

Source: OpenAI API reference, "Chat completions", "Embeddings", and "Responses", "Streaming events"; Anthropic
API reference, "Streaming messages".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from backends.wire import lenient
from backends.wire.finish_reasons import openai_reason, plain_reason
from backends.wire.openai_types import BadReply, Reply, ServerTimings, Usage
from backends.wire.reading import FAULTS, USUAL, Reader, Reading
from gateway.raw_forms import EMPTY, MESSAGES, NULL, RESPONSES, Fields, decode_fields, encode_raw
from gateway.translate.raw_choices import rewrite_choice

_decode_choices = msgspec.json.Decoder(list[Fields]).decode


class Chunk(msgspec.Struct):
    """A chunk of a chat or a completion, or a whole answer: what we read of it, and all of it."""

    reply: Reply
    fields: Fields

    @property
    def choices(self) -> Any:
        """The choices, as for a `Reply`."""
        return self.reply.choices

    @property
    def error(self) -> Any:
        """The error, as for a `Reply`."""
        return self.reply.error

    @property
    def usage(self) -> Usage | None:
        """The token counts, where they came."""
        return self.reply.usage

    @property
    def timings(self) -> ServerTimings | None:
        """The backend's own durations, where they came."""
        return self.reply.timings


class ChunkReader:
    """Reads the chunks of one answer both ways: what they mean, and what they are."""

    __slots__ = ("_reader",)

    def __init__(self, reading: Reading = USUAL, *, joins_choices: bool = True) -> None:
        # Text passes where it came, so thinking is not looked for in it.
        self._reader = Reader(
            msgspec.structs.replace(reading, reasoning_tags="none"), joins_choices=joins_choices
        )

    def read(self, data: bytes, /) -> Chunk:
        """Read a chunk or an answer. Raises `BadReply`."""
        reply = self._reader.read(data)
        try:
            if not data.isascii():
                data.decode()
            fields = decode_fields(data)
        except FAULTS:
            fields = _read_lenient(data, reply)
        if self._reader.has_changed and reply.choices:
            self._reader.has_changed = False
            fields = {**fields, **rewrite_choice(reply.choices[0])}
        if reply.choices and reply.choices[0].finish_reason:
            _tell_reasons(fields)
        return Chunk(reply, fields)

    def end(self) -> None:
        """Everything has been passed on."""


def _read_lenient(data: bytes, reply: Reply) -> Fields:
    """Write anew what only Python takes for JSON. In a stream, half a pair of surrogates keeps its escape."""
    value = lenient.loads(data)
    if not isinstance(value, dict):
        return {}
    is_whole = any(choice.message is not None for choice in reply.choices or ())
    try:
        return {
            name: msgspec.Raw(json.dumps(member, separators=(",", ":")).encode())
            for name, member in lenient.clean(value, mend=is_whole).items()
        }
    except (ValueError, RecursionError) as error:
        raise BadReply(str(error)) from None


def _tell_reasons(fields: Fields) -> None:
    """Put every finish reason in OpenAI's words."""
    try:
        choices = _decode_choices(fields["choices"])
        reasons = [msgspec.json.decode(choice.get("finish_reason", NULL)) for choice in choices]
    except (KeyError, *FAULTS):
        return
    told = [openai_reason(plain_reason(one)) if isinstance(one, str) and one else one for one in reasons]
    if told != reasons:
        mended = [{**choice, "finish_reason": one} for choice, one in zip(choices, told, strict=True)]
        fields["choices"] = encode_raw(mended)


class VectorList(Chunk):
    """The answer of /embeddings, which has no choices: its `data` is what was asked for."""

    @property
    def choices(self) -> Any:
        """Whether anything came."""
        return bytes(self.fields.get("data", NULL)) not in EMPTY


def read_vector_list(data: bytes) -> VectorList:
    """Read the answer of /embeddings. Raises `BadReply`."""
    chunk = ChunkReader().read(data)
    return VectorList(chunk.reply, chunk.fields)


class EventForm(msgspec.Struct, frozen=True, kw_only=True):
    """How the events of a protocol are told apart."""

    inner: str
    """The member of an event that holds the whole answer as far as it is known."""
    heads: frozenset[str]
    """Events that say nothing yet."""
    ends: frozenset[str]


EVENT_FORMS = {
    MESSAGES.name: EventForm(
        inner="message", heads=frozenset({"message_start", "ping"}), ends=frozenset({"message_stop"})
    ),
    RESPONSES.name: EventForm(
        inner="response",
        heads=frozenset({"response.created", "response.in_progress", "response.queued"}),
        ends=frozenset({"response.completed", "response.incomplete", "response.failed"}),
    ),
}


class Event(msgspec.Struct):
    """An event of /v1/messages or /v1/responses, or a whole answer: all of it, and whether it answers."""

    fields: Fields
    type: str
    choices: bool
    error: Any = None
    timings: None = None

    @property
    def usage(self) -> Usage | None:
        """The token counts, where they came."""
        return read_usage(self.fields)


class _UsageFields(msgspec.Struct):
    """Token counts, as both protocols name them."""

    input_tokens: int | None = None
    output_tokens: int | None = None


_decode_counted = msgspec.json.Decoder(_UsageFields | None).decode
_decode_name = msgspec.json.Decoder(str | None).decode


def read_usage(fields: Fields) -> Usage | None:
    """Read the token counts of an event, where there are some that can be understood."""
    if "usage" not in fields:
        return None
    try:
        counted = _decode_counted(fields["usage"])
    except msgspec.DecodeError:
        return None
    return Usage(counted.input_tokens, counted.output_tokens) if counted is not None else None


def make_event_decoder(form: EventForm) -> Callable[[bytes], Event]:
    """Make the reader of a protocol's events. It raises `BadReply`."""

    def decode(data: bytes) -> Event:
        try:
            fields = decode_fields(data)
            name = _decode_name(fields["type"]) or "" if "type" in fields else ""
            error = msgspec.json.decode(fields["error"]) if "error" in fields else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise BadReply(str(problem)) from None
        if name == "error" and error is None:
            error = {member: msgspec.json.decode(value) for member, value in fields.items()}
        return Event(fields, name, name not in form.heads, error)

    return decode
