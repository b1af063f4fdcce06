"""Answers of /v1/chat/completions and completions pass, under the client's name for the model. Pure.

Members keep the bytes that they came as; what is missing is filled in (`complete`). What is taken out is what
the client did not ask for and the request on its way added: the token counts of a stream.
"""

from __future__ import annotations

import msgspec

from backends.wire.openai_types import Reply
from gateway.answer import AnswerMetrics, AnswerPart
from gateway.errors import AnswerUnusable, Failure
from gateway.raw_body import RawBody
from gateway.raw_forms import EMPTY, NULL, Fields, encode_raw
from gateway.translate.assembly import Assembly
from gateway.translate.raw_answers import Chunk
from gateway.translate.token_usage import Timings, measure
from ollama_api.json_encoding import to_json
from ollama_api.openai.complete import Completer, take_empty_usage
from ollama_api.openai.errors import error_body
from ollama_api.raw_api import restore_model

CHUNK = msgspec.Raw(b'"chat.completion.chunk"')
DONE_EVENT = b"data: [DONE]\n\n"

_objects = msgspec.json.Decoder(list[Fields])


class Choices(Assembly):
    """Collects the first choice, and counts the ends of all: an answer with a choice missing was cut."""

    __slots__ = ("_begun", "_ended", "_wanted")

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self._wanted = wanted
        self._begun: set[int | None] = set()
        self._ended: set[int | None] = set()

    def take(self, reply: Reply) -> AnswerPart | None:
        """Take a chunk."""
        for choice in reply.choices or ():
            if self._wanted > 1 and len(self._begun) < self._wanted:
                self._begun.add(choice.index)
            if choice.finish_reason and len(self._ended) < self._wanted:
                self._ended.add(choice.index)
        return super().take(reply)

    @property
    def is_complete(self) -> bool:
        """Whether the backend said of every choice that this is its end."""
        return len(self._ended) >= self._wanted

    def end_all(self) -> None:
        """Note that the answer came in one piece, whatever it says of its end."""
        self._ended |= self._begun or {0}

    def list_open(self) -> list[int]:
        """List the choices of which something came, but no end."""
        begun = self._begun if self._wanted > 1 else {0}
        return sorted(place or 0 for place in begun - self._ended) if not self.is_complete else []


class ChunkPassthrough:
    """Chunks pass as they are, but for the model's name. An answer that is cut has no `[DONE]`.

    Nothing is sent before there is something to show: an early failure still gets a status of its own.
    """

    def __init__(self, call: RawBody) -> None:
        self._choices = Choices(call.choice_count)
        self.assembly: Assembly = self._choices
        self._model = encode_raw(call.model)
        self._completer = Completer(call.form.name, self.assembly)
        self._wants_usage = call.wants_usage
        self._held: list[bytes] = []

    def feed(self, chunks: list[Chunk], now_ns: int) -> bytes:
        """Pass on the chunks of one read; empty while nothing was said."""
        events = b"".join(self._events(chunk, now_ns) for chunk in chunks)
        if not (self.assembly.has_answer or self.assembly.finish_reason):
            self._held.append(events)
            self.assembly.gathered += len(events)
            return b""
        if self._held:
            events = b"".join([*self._held, events])
            self._held.clear()
        return events

    def _events(self, chunk: Chunk, now_ns: int) -> bytes:
        self.assembly.take(chunk.reply)
        fields = chunk.fields
        if not self._completer.is_like_before(fields):
            return self._unusual_events(chunk, now_ns)
        fields["model"] = self._model
        if "usage" in fields and not take_empty_usage(fields):
            self._hide_usage(fields)
        return _event(fields)

    def _unusual_events(self, chunk: Chunk, now_ns: int) -> bytes:
        fields = chunk.fields
        if fields.get("choices", NULL) == NULL:
            if fields.get("usage", NULL) == NULL:
                return b""  # a heartbeat or the like: official clients fail at a chunk without a list
            fields["choices"] = msgspec.Raw(b"[]")
        if take_empty_usage(fields) and not chunk.choices:
            return b""
        fields["model"] = self._model
        before = self._completer.complete(chunk, now_ns)
        if chunk.choices and chunk.choices[0].message is not None:
            return b"".join(map(_event, self._chunks_of_whole(fields)))
        if "usage" in fields and not self._wants_usage and not chunk.choices and fields["usage"] != NULL:
            return b""  # what was asked for here and not by the client: a chunk of its own
        self._hide_usage(fields)
        return b"".join(map(_event, [*before, fields])) if before else _event(fields)

    def _hide_usage(self, fields: Fields) -> None:
        """Take out the null of every chunk, where the counts were asked for here and not by the client."""
        if not self._wants_usage and fields.get("usage") == NULL:
            del fields["usage"]

    def _chunks_of_whole(self, fields: Fields) -> list[Fields]:
        """Make chunks of an answer that came in one piece, from a backend that does not stream."""
        self._choices.end_all()
        usage = fields.pop("usage", NULL)
        try:
            choices = [_with_delta(choice) for choice in _objects.decode(fields["choices"])]
        except (msgspec.DecodeError, RecursionError) as error:
            raise AnswerUnusable(f"the backend's answer is not understood: {error}") from None
        chunk = {**fields, "object": CHUNK, "choices": encode_raw(choices)}
        if not self._wants_usage or usage == NULL:
            return [chunk]
        return [chunk, {**chunk, "choices": msgspec.Raw(b"[]"), "usage": usage}]

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, AnswerMetrics]:
        """End the stream. Clients that wait for a finish reason throw an answer without one away."""
        places = self._choices.list_open()
        last = self._completer.end(self._model, places, now_ns) if places else []
        metrics = measure(self.assembly.usage, self.assembly.timings, timings)
        return b"".join([*self._held, *map(_event, last), DONE_EVENT]), metrics

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Tell what went wrong; the official clients raise on it. No `[DONE]` follows."""
        return b"data: " + to_json(error_body(failure, request_id)) + b"\n\n"


def encode_whole(body: RawBody, answer: Chunk, metrics: AnswerMetrics, now_ns: int) -> Fields:
    """Give a whole answer back, complete. Raises `AnswerUnusable`."""
    take_empty_usage(answer.fields)
    Completer(body.form.name).complete(answer, now_ns)
    return restore_model(body, answer, metrics, now_ns)


def _with_delta(choice: Fields) -> Fields:
    """Call the message of a choice a delta, and number its tool calls, as chunks have it."""
    message = msgspec.json.decode(choice.get("message", NULL), type=Fields | None)
    if message is None or "delta" in choice:
        return choice
    if bytes(message.get("tool_calls", NULL)) not in EMPTY:
        calls = _objects.decode(message["tool_calls"])
        numbered = [{"index": encode_raw(place), **call} for place, call in enumerate(calls)]
        message = {**message, "tool_calls": encode_raw(numbered)}
    return {
        **{name: value for name, value in choice.items() if name != "message"},
        "delta": encode_raw(message),
    }


def _event(fields: Fields) -> bytes:
    """Write an event. Members keep the bytes that they came as, unless those are on several lines."""
    data = msgspec.json.encode(fields)
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)
    return b"data: " + data + b"\n\n"
