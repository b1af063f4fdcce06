"""Answers that pass to the client as they came: what they mean to us, and all of them. Pure.

Source: OpenAI API reference, "Chat completions", and "Embeddings".
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from backends.wire import lenient
from backends.wire.embedding_replies import find_fault, read_embeddings
from backends.wire.finish_reasons import openai_reason, plain_reason
from backends.wire.openai_types import BadReply, Reply, ServerTimings, Usage
from backends.wire.reading import FAULTS, USUAL, Reader, Reading
from backends.wire.sse import check_parts
from gateway.raw_forms import EMPTY, NULL, Fields, decode_fields, encode_raw
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
        check_parts(data)
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
    return write_fields(value, mend=any(choice.message is not None for choice in reply.choices or ()))


def _tell_reasons(fields: Fields) -> None:
    """Put every finish reason in OpenAI's words."""
    try:
        choices = _decode_choices(fields["choices"])
        reasons = [msgspec.json.decode(choice.get("finish_reason", NULL)) for choice in choices]
    except (KeyError, *FAULTS):
        return
    openai_reasons = [
        openai_reason(plain_reason(one)) if isinstance(one, str) and one else one for one in reasons
    ]
    if openai_reasons != reasons:
        mended = [
            {**choice, "finish_reason": one} for choice, one in zip(choices, openai_reasons, strict=True)
        ]
        fields["choices"] = encode_raw(mended)


def write_fields(value: dict[str, Any], *, mend: bool) -> Fields:
    """Write the members of an object that only Python takes for JSON. Raises `BadReply`."""
    try:
        return {
            name: msgspec.Raw(json.dumps(member, separators=(",", ":")).encode())
            for name, member in lenient.clean(value, mend=mend).items()
        }
    except (ValueError, RecursionError) as error:
        raise BadReply(str(error)) from None


class VectorList(Chunk):
    """The answer of /embeddings, which has no choices: its `data` is what was asked for."""

    @property
    def choices(self) -> Any:
        """Whether anything came."""
        return bytes(self.fields.get("data", NULL)) not in EMPTY


def read_vector_list(data: bytes) -> VectorList:
    """Read the answer of /embeddings. Raises `BadReply`: it is none, or a vector in it is none."""
    chunk = ChunkReader().read(data)
    told = read_embeddings(data).data or ()
    fault = find_fault([one.embedding for one in told]) if chunk.error is None else ""
    if fault:
        raise BadReply(fault)
    return VectorList(chunk.reply, chunk.fields)
