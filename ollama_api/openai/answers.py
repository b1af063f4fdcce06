"""The OpenAI face's answers: they pass back under the client's name for the model, with nothing lost. Pure.

Members keep the bytes that they came as. What is taken out is what the client did not ask for and the
request on its way added: the token counts of a stream.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from backends.wire import lenient
from backends.wire.openai_types import BadReply, Choice, Reply
from backends.wire.reading import FAULTS, USUAL, Reader, Reading
from gateway.errors import AnswerUnusable, Failure
from gateway.translate.assembly import Assembly, Piece
from gateway.translate.token_usage import Timings, measure
from ollama_api.json_encoding import to_json
from ollama_api.ollama.types import Metrics
from ollama_api.openai.chat import NOTHING, NULL, Fields, OpenAICall, error_body, fields_decoder, raw

CHUNK = msgspec.Raw(b'"chat.completion.chunk"')
MOST_DIGITS = 4
DONE_EVENT = b"data: [DONE]\n\n"

_objects = msgspec.json.Decoder(list[Fields])


class Chunk(msgspec.Struct):
    """A chunk or a whole answer: what we read of it, and all of it."""

    reply: Reply
    fields: Fields

    @property
    def choices(self) -> list[Choice] | None:
        """The choices, as for a `Reply`."""
        return self.reply.choices

    @property
    def error(self) -> Any:
        """The error, as for a `Reply`."""
        return self.reply.error


class ChunkReader:
    """Reads the chunks of one answer both ways: what they mean, and what they are."""

    __slots__ = ("_reader",)

    def __init__(self, reading: Reading = USUAL) -> None:
        # Text passes where it came, so thinking is not looked for in it.
        self._reader = Reader(msgspec.structs.replace(reading, tags="none"))

    def read(self, data: bytes, /) -> Chunk:
        """Read a chunk or an answer. Raises `BadReply`."""
        reply = self._reader.read(data)
        try:
            if not data.isascii():
                data.decode()
            return Chunk(reply, fields_decoder.decode(data))
        except FAULTS:
            return Chunk(reply, _lax_fields(data, reply))

    def end(self) -> None:
        """Everything has been passed on."""


def _lax_fields(data: bytes, reply: Reply) -> Fields:
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


def from_upstream(call: OpenAICall, chunk: Chunk, timings: Timings, now_ns: int) -> tuple[Fields, Metrics]:
    """Give the answer back under the client's name for the model."""
    fields = {**chunk.fields, "model": raw(call.model)}
    return fields, measure(chunk.reply.usage, chunk.reply.timings, timings)


class VectorList(Chunk):
    """The answer of /embeddings, which has no choices: its `data` is what was asked for."""

    @property
    def choices(self) -> Any:
        """Whether anything came."""
        return bytes(self.fields.get("data", NULL)) not in NOTHING


def decode_list(data: bytes) -> VectorList:
    """Read the answer of /embeddings. Raises `BadReply`."""
    chunk = ChunkReader().read(data)
    return VectorList(chunk.reply, chunk.fields)


class Choices(Assembly):
    """Collects the first choice, and counts the ends of all: an answer with a choice missing was cut."""

    __slots__ = ("_ended", "_wanted")

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self._wanted = wanted
        self._ended: set[int | None] = set()

    def take(self, reply: Reply) -> Piece | None:
        """Take a chunk."""
        for choice in reply.choices or ():
            if choice.finish_reason and len(self._ended) < self._wanted:
                self._ended.add(choice.index)
        return super().take(reply)

    @property
    def is_complete(self) -> bool:
        """Whether the backend said of every choice that this is its end."""
        return len(self._ended) >= self._wanted


class OpenAIStream:
    """Chunks pass as they are, but for the model's name. An answer that is cut has no `[DONE]`.

    Nothing is sent before there is something to show: an early failure still gets a status of its own.
    """

    def __init__(self, call: OpenAICall) -> None:
        self.assembly: Assembly = Choices(_read_n(call))
        self._model = raw(call.model)
        self._wants_usage = call.wants_usage
        self._held: list[bytes] = []

    def feed(self, chunks: list[Chunk], now_ns: int) -> bytes:
        """Pass on the chunks of one read; empty while nothing was said."""
        events = b"".join(self._events(chunk) for chunk in chunks)
        if not (self.assembly.has_answer or self.assembly.finish_reason):
            self._held.append(events)
            self.assembly.gathered += len(events)
            return b""
        if self._held:
            events = b"".join([*self._held, events])
            self._held.clear()
        return events

    def _events(self, chunk: Chunk) -> bytes:
        self.assembly.take(chunk.reply)
        fields = chunk.fields
        if fields.get("choices", NULL) == NULL:
            if fields.get("usage", NULL) == NULL:
                return b""  # a heartbeat or the like: official clients fail at a chunk without a list
            fields["choices"] = msgspec.Raw(b"[]")
        fields["model"] = self._model
        if chunk.choices and chunk.choices[0].message is not None:
            return b"".join(map(_event, self._chunks_of_whole(fields)))
        if not self._wants_usage and "usage" in fields:
            # What was asked for here and not by the client: a chunk of its own, and a null in the others.
            if fields["usage"] == NULL:
                del fields["usage"]
            elif not chunk.choices:
                return b""
        return _event(fields)

    def _chunks_of_whole(self, fields: Fields) -> list[Fields]:
        """Make chunks of an answer that came in one piece, from a backend that does not stream."""
        usage = fields.pop("usage", NULL)
        try:
            choices = [_with_delta(choice) for choice in _objects.decode(fields["choices"])]
        except (msgspec.DecodeError, RecursionError) as error:
            raise AnswerUnusable(f"the backend's answer is not understood: {error}") from None
        chunk = {**fields, "object": CHUNK, "choices": raw(choices)}
        if not self._wants_usage or usage == NULL:
            return [chunk]
        return [chunk, {**chunk, "choices": msgspec.Raw(b"[]"), "usage": usage}]

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, Metrics]:
        """End the stream."""
        return b"".join([*self._held, DONE_EVENT]), measure(
            self.assembly.usage, self.assembly.timings, timings
        )

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Tell what went wrong; the official clients raise on it. No `[DONE]` follows."""
        return b"data: " + to_json(error_body(failure, request_id)) + b"\n\n"


def _read_n(call: OpenAICall) -> int:
    """Read `n`. One that makes no sense is the backend's to refuse."""
    number = bytes(call.fields.get("n", NULL))
    return max(1, int(number)) if number.isdigit() and len(number) <= MOST_DIGITS else 1


def _with_delta(choice: Fields) -> Fields:
    """Call the message of a choice a delta, and number its tool calls, as chunks have it."""
    message = msgspec.json.decode(choice.get("message", NULL), type=Fields | None)
    if message is None or "delta" in choice:
        return choice
    if bytes(message.get("tool_calls", NULL)) not in NOTHING:
        calls = _objects.decode(message["tool_calls"])
        numbered = [{"index": raw(place), **call} for place, call in enumerate(calls)]
        message = {**message, "tool_calls": raw(numbered)}
    return {
        **{name: value for name, value in choice.items() if name != "message"},
        "delta": raw(message),
    }


def _event(fields: Fields) -> bytes:
    """Write an event. Members keep the bytes that they came as, unless those are on several lines."""
    data = msgspec.json.encode(fields)
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)
    return b"data: " + data + b"\n\n"
