"""APIs whose bodies pass as bytes: read here, and written back under the client's model name. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from backends.wire.openai_types import Usage
from gateway import go_json
from gateway.answer import AnswerMetrics
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.errors import BadRequest, Failure, RequestError
from gateway.raw_body import RawBody
from gateway.raw_forms import KNOWN_MEMBERS, NULL, Fields, RawForm, decode_fields, encode_fields, encode_raw
from gateway.translate.assembly import Assembly
from gateway.translate.raw_answers import Chunk
from gateway.translate.raw_events import EVENT_FORMS, Event, EventForm, mend_usage
from gateway.translate.token_usage import Timings, measure
from ollama_api.json_encoding import to_json

GO_TYPES: dict[Any, str] = {
    str: "string",
    bool: "bool",
    dict[str, Any]: "openai.StreamOptions",
    list[msgspec.Raw]: "[]openai.Message",
}

ErrorWriter = Callable[[Failure, str], Any]
"""Writes a failure as the data of an event, for a request id."""


def no_model() -> RequestError:
    """Say that a model has to be named."""
    return BadRequest("model is required")


def parse_raw(form: RawForm, body: bytes, without_model: Callable[[], RequestError] = no_model) -> RawBody:
    """Take a body apart. Raises `BadRequest` with the texts of Ollama's OpenAI routes, or `without_model`."""
    fields = _read(body)
    if not "".join(fields).islower():
        fields = go_json.fold_keys(fields, KNOWN_MEMBERS)
    model = decode_member(fields, "model", str, "")
    if not model:
        raise without_model()
    return RawBody(
        form=form,
        model=model,
        stream=decode_member(fields, "stream", bool, False),
        stream_options=decode_member(fields, "stream_options", dict[str, Any], {}),
        fields=fields,
    )


def _read(body: bytes) -> Fields:
    """Take the fast path unless text inside could not leave as UTF-8, which raw members do not show."""
    try:
        if not body.isascii():
            body.decode()
        return decode_fields(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_lenient(body)


def _read_lenient(body: bytes) -> Fields:
    if not body.strip():
        raise BadRequest("EOF")  # so Ollama words it on these routes
    value = go_json.first_value(body)
    if value is not None and not isinstance(value, dict):
        raise BadRequest("the request body must be a JSON object")
    try:
        return encode_fields(value or {})
    except RecursionError:
        raise BadRequest(go_json.TOO_DEEP) from None


def decode_member(fields: Fields, name: str, kind: Any, default: Any) -> Any:
    """Decode one member; what is null or absent is the default. Raises `BadRequest` in Go's words."""
    raw = fields.get(name, NULL)
    if raw == NULL:
        return default
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        raise BadRequest(go_json.misfit(go_json.first_value(bytes(raw)), name, GO_TYPES[kind])) from None
    except RecursionError:
        raise BadRequest(go_json.TOO_DEEP) from None


def keep_operation(body: RawBody, diagnostics: Diagnostics | None = None) -> RawBody:
    """Give the operation: the body itself."""
    return body


def restore_model(body: RawBody, answer: Chunk | Event, metrics: AnswerMetrics, now_ns: int) -> Fields:
    """Give a whole answer back under the client's name for the model."""
    return {**answer.fields, "model": encode_raw(body.model)}


class EventPassthrough:
    """Events pass as they are, but for the model's name."""

    def __init__(self, form: EventForm, write_error: ErrorWriter, body: RawBody) -> None:
        self.assembly = Assembly()
        self._form = form
        self._write_error = write_error
        self._model = encode_raw(body.model)
        self._held: list[bytes] = []

    def feed(self, events: list[Event], now_ns: int) -> bytes:
        """Pass on the events of one read; empty while nothing was said, so that a failure has a status."""
        self._held += map(self._encode, events)
        if not self.assembly.has_text:
            return b""
        lines = b"".join(self._held)
        self._held.clear()
        return lines

    def _encode(self, event: Event) -> bytes:
        self.assembly.has_text |= event.choices
        if event.type in self._form.ends:
            self.assembly.finish_reason = event.type
        self._count(event.usage)
        inner = event.fields.get(self._form.inner, NULL)
        if bytes(memoryview(inner)[:1]) == b"{":
            whole = decode_fields(inner)
            mend_usage(whole)
            self._count(Event(whole, "", False).usage)
            event.fields[self._form.inner] = encode_raw({**whole, "model": self._model})
        return b"event: %b\ndata: %b\n\n" % (event.type.encode(), _encode_on_one_line(event.fields))

    def _count(self, found: Usage | None) -> None:
        """Take what is counted, wherever it is told: the input first, the output at the end."""
        if found is not None:
            before = self.assembly.usage or Usage()
            self.assembly.usage = Usage(
                found.prompt_tokens if found.prompt_tokens is not None else before.prompt_tokens,
                found.completion_tokens if found.completion_tokens is not None else before.completion_tokens,
            )

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, AnswerMetrics]:
        """End the stream. The backend's own last event has been passed on."""
        return b"".join(self._held), measure(self.assembly.usage, None, timings)

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Tell what went wrong in an event."""
        return b"event: error\ndata: " + to_json(self._write_error(failure, request_id)) + b"\n\n"


def _encode_on_one_line(fields: Fields) -> bytes:
    data = msgspec.json.encode(fields)
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


def make_raw_api(name: str, form: RawForm, write_error: ErrorWriter) -> ClientApi:
    """Describe an operation whose bodies and events pass, such as /v1/messages to a backend that has it."""
    return ClientApi(
        name=name,
        parse=partial(parse_raw, form),
        translate=keep_operation,
        encode=restore_model,
        open_stream=partial(EventPassthrough, EVENT_FORMS[form.name], write_error),
        protocol=f"has_{form.name}_api",
    )
