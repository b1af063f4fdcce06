"""Chunks in, events of the Responses API out. Pure: times come in as arguments.

Text is told as it comes; a call is told when it is whole, since only then its arguments are known to be JSON.
Source: OpenAI API reference, "Streaming events"; what the `openai` Python library makes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from backends.wire.openai_types import Reply
from gateway.answer import AnswerMetrics, AnswerPart, AnswerToolCall
from gateway.errors import Failure
from gateway.translate.assembly import Assembly
from gateway.translate.gathered_bytes import weight
from gateway.translate.token_usage import Timings, measure
from ollama_api.json_encoding import to_json
from ollama_api.responses.reply import (
    begin_response,
    call_item,
    end_response,
    error_code,
    error_fields,
    incomplete_reason,
    item_id,
    log_probabilities,
    message_item,
    reasoning_item,
    text_status,
    whole_calls,
)
from ollama_api.responses.tools import Functions, functions
from ollama_api.responses.types import (
    CustomCallItem,
    FunctionCallItem,
    MessageItem,
    OutputText,
    ReasoningItem,
    Response,
    ResponseError,
    ResponsesRequest,
    SummaryText,
)


class Lane(msgspec.Struct, frozen=True):
    """How one kind of text is told."""

    prefix: str
    """Of its items' ids."""
    part: str
    """The family of the events about its part."""
    text: str
    """The family of the events about the part's text."""
    index: str
    """What they call the part's number."""
    item: Callable[[str, str, str, list[dict[str, Any]]], ReasoningItem | MessageItem]
    empty: ReasoningItem | MessageItem
    empty_part: SummaryText | OutputText
    has_logprobs: bool = False


REASONING = Lane(
    prefix="rs",
    part="response.reasoning_summary_part",
    text="response.reasoning_summary_text",
    index="summary_index",
    item=reasoning_item,
    empty=ReasoningItem("", []),
    empty_part=SummaryText(""),
)
MESSAGE = Lane(
    prefix="msg",
    part="response.content_part",
    text="response.output_text",
    index="content_index",
    item=message_item,
    empty=MessageItem("", "in_progress", []),
    empty_part=OutputText(""),
    has_logprobs=True,
)


class EventWriter:
    """Writes events and numbers them."""

    def __init__(self) -> None:
        self._number = 0

    def write(self, kind: str, **fields: Any) -> bytes:
        """Write one event, with the blank line."""
        data = to_json({"type": kind, "sequence_number": self.take_number(), **fields})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def take_number(self) -> int:
        """Number an event that is written elsewhere."""
        self._number += 1
        return self._number - 1


class Speech:
    """An item of text in the making."""

    def __init__(self, lane: Lane, response: Response, writer: EventWriter) -> None:
        self.lane = lane
        self.id = item_id(lane.prefix, response)
        self._texts: list[str] = []
        self._logprobs: list[Any] = []
        self._writer = writer
        self._item_place = {"output_index": len(response.output)}
        self._place = {"item_id": self.id, **self._item_place, lane.index: 0}
        kind = f"{lane.text}.delta"
        more: dict[str, Any] = {"logprobs": []} if lane.has_logprobs else {}
        self._usual = b"event: %b\ndata: %b" % (
            kind.encode(),
            to_json({"type": kind, **self._place, **more}).removesuffix(b"}"),
        )

    def begin(self) -> list[bytes]:
        """Tell that there is an item, and a part in it."""
        write, lane = self._writer.write, self.lane
        return [
            write(
                "response.output_item.added",
                **self._item_place,
                item=msgspec.structs.replace(lane.empty, id=self.id),
            ),
            write(f"{lane.part}.added", **self._place, part=lane.empty_part),
        ]

    def say(self, text: str, logprobs: list[Any]) -> bytes:
        """Tell what was added; the usual one, text alone, without writing all of the event anew."""
        self._texts.append(text)
        if not logprobs:
            number = self._writer.take_number()
            return b'%b,"sequence_number":%d,"delta":%b}\n\n' % (self._usual, number, to_json(text))
        self._logprobs += logprobs
        return self._writer.write(f"{self.lane.text}.delta", **self._place, delta=text, logprobs=logprobs)

    def item(self, status: str) -> ReasoningItem | MessageItem:
        """Give the item as far as it is there."""
        return self.lane.item(self.id, status, "".join(self._texts), self._logprobs)

    def end(self, item: ReasoningItem | MessageItem) -> list[bytes]:
        """Tell that the text, the part and the item are done."""
        write, lane = self._writer.write, self.lane
        part = item.summary[0] if isinstance(item, ReasoningItem) else item.content[0]
        more = {"logprobs": self._logprobs} if lane.has_logprobs else {}
        return [
            write(f"{lane.text}.done", **self._place, text=part.text, **more),
            write(f"{lane.part}.done", **self._place, part=part),
            write("response.output_item.done", **self._item_place, item=item),
        ]


class ResponsesStream:
    """One streamed answer."""

    def __init__(self, call: ResponsesRequest) -> None:
        self.assembly = Assembly()
        self._call = call
        self._writer = EventWriter()
        self._response: Response | None = None
        self._speech: Speech | None = None

    def feed(self, replies: list[Reply], now_ns: int) -> bytes:
        """Translate the chunks of one read to events, joined; empty while there is nothing to show."""
        events: list[bytes] = []
        for reply in replies:
            piece = self.assembly.take(reply)
            if piece is not None:
                self._say(piece, now_ns, events)
            elif self._response is None and self.assembly.has_answer:
                self._begin(now_ns, events)
        return b"".join(events)

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, AnswerMetrics]:
        """Write the last events. Raises `AnswerUnusable`, before anything is written."""
        reason = incomplete_reason(self.assembly)
        calls = whole_calls(self.assembly, reason, now_ns)
        metrics = measure(self.assembly.usage, self.assembly.timings, timings)
        events: list[bytes] = []
        response = self._begin(now_ns, events)
        if not response.output and not self._speech and not calls:
            self._on(MESSAGE, now_ns, events)
        events += self._end_speech(response, text_status(reason, calls))
        known = functions(response.tools) if calls else {}
        for call in calls:
            events += self._write_call(response, call, known)
        end_response(response, reason, self.assembly, metrics, now_ns)
        events.append(self._writer.write(f"response.{response.status}", response=response))
        return b"".join(events), metrics

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Write that the answer failed. What was said until then is shown as incomplete."""
        events = [self._writer.write("error", **error_fields(failure, request_id))]
        response = self._response
        if response is not None:
            if self._speech is not None:
                response.output.append(self._speech.item("incomplete"))
                self._speech = None
            response.status = "failed"
            response.error = ResponseError(error_code(failure), failure.message)
            events.append(self._writer.write("response.failed", response=response))
        return b"".join(events)

    def _begin(self, now_ns: int, events: list[bytes]) -> Response:
        """Tell that there is a response, when that is news."""
        if self._response is None:
            self._response = begin_response(self._call, now_ns)
            write = self._writer.write
            events += [
                write("response.created", response=self._response),
                write("response.in_progress", response=self._response),
            ]
        return self._response

    def _say(self, piece: AnswerPart, now_ns: int, events: list[bytes]) -> None:
        self.assembly.gathered += weight(piece.thinking, piece.content)
        if piece.thinking:
            events.append(self._on(REASONING, now_ns, events).say(piece.thinking, []))
        if piece.content:
            logprobs = log_probabilities(piece.logprobs) if piece.logprobs else []
            as_json = [
                msgspec.Raw(to_json(one)) for one in logprobs
            ]  # kept until the end: as JSON, it is small
            self.assembly.gathered += sum(map(len, as_json))
            events.append(self._on(MESSAGE, now_ns, events).say(piece.content, as_json))

    def _on(self, lane: Lane, now_ns: int, events: list[bytes]) -> Speech:
        """Give the item that is open, if it is of this kind, or else begin one."""
        if self._speech is None or self._speech.lane is not lane:
            response = self._begin(now_ns, events)
            events += self._end_speech(response, "completed")
            self._speech = Speech(lane, response, self._writer)
            events += self._speech.begin()
        return self._speech

    def _end_speech(self, response: Response, status: str) -> list[bytes]:
        if self._speech is None:
            return []
        speech, self._speech = self._speech, None
        item = speech.item(status)
        response.output.append(item)
        return speech.end(item)

    def _write_call(self, response: Response, call: AnswerToolCall, known: Functions) -> list[bytes]:
        write, item = self._writer.write, call_item(response, call, known)
        item_place = {"output_index": len(response.output)}
        place = {"item_id": item.id, **item_place}
        response.output.append(item)
        opened: CustomCallItem | FunctionCallItem
        if isinstance(item, CustomCallItem):
            opened = msgspec.structs.replace(item, status="in_progress", input="")
            event, text, more = "response.custom_tool_call_input", item.input, {"input": item.input}
        else:
            opened = msgspec.structs.replace(item, status="in_progress", arguments="")
            event, text = "response.function_call_arguments", item.arguments
            more = {"name": item.name, "arguments": item.arguments}
        return [
            write("response.output_item.added", **item_place, item=opened),
            write(f"{event}.delta", **place, delta=text),
            write(f"{event}.done", **place, **more),
            write("response.output_item.done", **item_place, item=item),
        ]
