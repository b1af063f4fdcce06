"""Events of /v1/messages and /v1/responses that pass to the client: what they mean, and all of them. Pure.

Source: OpenAI API reference, "Responses", "Streaming events"; Anthropic API reference, "Streaming messages".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from backends.wire import lenient
from backends.wire.failures import LARGEST_FLAT, find_flat_error
from backends.wire.openai_types import BadReply, Usage
from backends.wire.reading import FAULTS
from backends.wire.sse import check_parts
from backends.wire.token_counts import LARGEST_COUNT, read_count
from gateway.raw_forms import MESSAGES, NULL, RESPONSES, Fields, decode_fields, encode_raw
from gateway.translate.raw_answers import write_fields
from gateway.translate.split_answers import split_message, split_response

Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]


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

    def split(self) -> list[Event]:
        """Make the events of a stream out of a whole answer, of a backend that does not stream."""
        whole = {name: msgspec.json.decode(member) for name, member in self.fields.items()}
        events = split_response(whole) if whole.get("object") == "response" else split_message(whole)
        return [_write_event(event) for event in events]


class _UsageFields(msgspec.Struct):
    """Token counts, as both protocols name them, and as chats do."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    prompt_tokens: Any = None
    completion_tokens: Any = None


NAMES = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
"""What both protocols call a count -> what chats call it."""
_decode_counted = msgspec.json.Decoder(_UsageFields | None).decode
_decode_name = msgspec.json.Decoder(str | None).decode


def read_usage(fields: Fields) -> Usage | None:
    """Read the token counts of an event that has been mended."""
    if "usage" not in fields:
        return None
    try:
        counted = _decode_counted(fields["usage"])
    except msgspec.DecodeError:
        return None
    return Usage(counted.input_tokens, counted.output_tokens) if counted is not None else None


def mend_usage(fields: Fields) -> None:
    """Write counts that are text, negative or without bound, or have a chat's names, as clients know them."""
    if "usage" not in fields:
        return
    try:
        counted = _decode_counted(fields["usage"])
        if counted is None or (counted.prompt_tokens is None and counted.completion_tokens is None):
            return
    except msgspec.DecodeError:
        pass
    value = lenient.clean(lenient.loads(bytes(fields["usage"])))
    if not isinstance(value, dict):
        fields["usage"] = NULL
        return
    told = {name: member for name, member in value.items() if name not in NAMES.values()}
    for name, other in NAMES.items():
        if name in value or other in value:
            found = (read_count(lenient.read_number(value.get(one))) for one in (name, other))
            told[name] = next((count for count in found if count is not None), 0)
    fields["usage"] = encode_raw(told)


def _write_event(value: dict[str, Any]) -> Event:
    heads = frozenset().union(*(form.heads for form in EVENT_FORMS.values()))
    name = value["type"]
    return Event({member: encode_raw(part) for member, part in value.items()}, name, name not in heads)


def make_event_decoder(form: EventForm) -> Callable[[bytes], Event]:
    """Make the reader of a protocol's events. It raises `BadReply`."""

    def decode(data: bytes) -> Event:
        check_parts(data)
        fields = _read_fields(data)
        try:
            name = _decode_name(fields["type"]) or "" if "type" in fields else ""
            error = msgspec.json.decode(fields["error"]) if "error" in fields else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise BadReply(str(problem)) from None
        if error is None and (name == "error" or (not name and len(data) <= LARGEST_FLAT)):
            error = _find_error(fields)
        mend_usage(fields)
        return Event(fields, name, name not in form.heads, error)

    return decode


def _find_error(fields: Fields) -> Any:
    """Find an error that an event is, without the member for it. Neither API has nameless events."""
    try:
        members = {member: msgspec.json.decode(value) for member, value in fields.items()}
    except FAULTS:
        return None
    return find_flat_error(members)


def _read_fields(data: bytes) -> Fields:
    """Take an event apart, or write it anew where strict JSON refuses it. Raises `BadReply`."""
    try:
        if not data.isascii():
            data.decode()
        return decode_fields(data)
    except FAULTS:
        value = lenient.loads(data)
    if not isinstance(value, dict):
        raise BadReply("an event that is no object")
    return write_fields(value, mend=False)


def join_events(events: list[Event]) -> Event:
    """Make the whole answer of a stream's events. Raises `BadReply`: they do not come to an end."""
    ended = next((event for event in reversed(events) if event.type in ENDS), None)
    if ended is None:
        raise BadReply("events that end before the answer does")
    if "response" in ended.fields:
        return Event(decode_fields(ended.fields["response"]), "", True)
    return Event({name: encode_raw(value) for name, value in _join_message(events).items()}, "message", True)


ENDS = frozenset().union(*(form.ends for form in EVENT_FORMS.values()))
PIECES = {"text": "text", "thinking": "thinking", "signature": "signature", "partial_json": "input"}
"""The member of a delta that holds a piece -> the block's member that it is a piece of."""


def _join_message(events: list[Event]) -> dict[str, Any]:
    """Make a message of Anthropic's events."""
    message: dict[str, Any] = {"type": "message", "role": "assistant"}
    blocks: dict[Any, _Block] = {}
    for event in events:
        value = {name: msgspec.json.decode(member) for name, member in event.fields.items()}
        place = value.get("index", 0)
        if event.type == "message_start" and isinstance(value.get("message"), dict):
            message |= value["message"]
        elif event.type == "content_block_start" and isinstance(value.get("content_block"), dict):
            blocks[place] = _Block(value["content_block"])
        elif event.type == "content_block_delta" and place in blocks and isinstance(value.get("delta"), dict):
            blocks[place].add(value["delta"])
        elif event.type == "message_delta":
            message |= value.get("delta") or {}
            message["usage"] = {**(message.get("usage") or {}), **(value.get("usage") or {})}
    return {**message, "content": [blocks[place].whole() for place in sorted(blocks)]}


class _Block:
    """A block of a message in the making."""

    def __init__(self, begun: dict[str, Any]) -> None:
        self._block = begun
        self._pieces: dict[str, list[str]] = {}

    def add(self, delta: dict[str, Any]) -> None:
        """Take a piece."""
        for name, member in PIECES.items():
            if isinstance(delta.get(name), str):
                self._pieces.setdefault(member, []).append(delta[name])
        if "citation" in delta:
            self._block["citations"] = [*(self._block.get("citations") or ()), delta["citation"]]

    def whole(self) -> dict[str, Any]:
        """Give the block. Raises `BadReply`: its input is no JSON."""
        joined: dict[str, Any] = {name: "".join(parts) for name, parts in self._pieces.items()}
        if "input" in joined:
            joined["input"] = lenient.loads(joined["input"].encode() or b"{}")
        return {**self._block, **joined}
