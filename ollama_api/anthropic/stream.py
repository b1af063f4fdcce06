"""Chunks in, Anthropic's events out. Pure.

One block is open at a time: thinking and text as they come, a tool call whole at the end. Nothing is sent
before there is something to show, so that an early failure still gets a status of its own.
Source: Anthropic API reference, "Streaming messages"; Ollama v0.33 `anthropic/anthropic.go:StreamConverter`.
"""

from __future__ import annotations

from typing import Any

from backends.wire.openai_types import Reply
from gateway.answer import AnswerMetrics, AnswerToolCall
from gateway.errors import Failure
from gateway.translate.assembly import Assembly
from gateway.translate.token_usage import Timings, measure
from ollama_api.anthropic.reply import error_body, message_id, stop_reason, tokens
from ollama_api.anthropic.types import (
    ErrorBody,
    MessagesReply,
    ReplyBlock,
    TextBlock,
    ThinkingBlock,
    TokenUsage,
    ToolUseBlock,
)
from ollama_api.json_encoding import to_json

# What a block of each kind begins as, and its deltas up to the text.
EMPTY: dict[str, ReplyBlock] = {"text": TextBlock(""), "thinking": ThinkingBlock("")}
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
DELTAS = {
    "text": DELTA + b'{"type":"text_delta","text":%b}}\n\n',
    "thinking": DELTA + b'{"type":"thinking_delta","thinking":%b}}\n\n',
    "input": DELTA + b'{"type":"input_json_delta","partial_json":%b}}\n\n',
}
END = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class MessagesStream:
    """One streamed answer."""

    def __init__(self, model: str, estimated_input: int, *, hides_thinking: bool = False) -> None:
        self.assembly = Assembly(shows_thinking=not hides_thinking)
        self._model = model
        self._estimated_input = estimated_input
        self._has_begun = False
        self._index = 0
        self._open = ""
        """The kind of the block that is open, if one is."""

    def feed(self, replies: list[Reply], now_ns: int) -> bytes:
        """Translate the chunks of one read to events, joined; empty when there is nothing to show."""
        events: list[bytes] = []
        for reply in replies:
            piece = self.assembly.take(reply)
            if piece is None:
                continue
            if piece.thinking:
                events += self._say("thinking", piece.thinking, now_ns)
            if piece.content:
                events += self._say("text", piece.content, now_ns)
        return b"".join(events)

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, AnswerMetrics]:
        """Write the tool calls and the end. Raises `AnswerUnusable`, and has then written nothing."""
        calls = self.assembly.tool_calls(now_ns)
        reason = stop_reason(self.assembly, bool(calls))
        metrics = measure(self.assembly.usage, self.assembly.timings, timings)
        events = [*self._begin(now_ns), *self._close_block()]
        for call in calls:
            events += self._write_call(call)
        events.append(
            event(
                "message_delta",
                delta={"stop_reason": reason, "stop_sequence": None},
                usage=tokens(metrics, self._estimated_input),
            )
        )
        return b"".join([*events, END]), metrics

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Tell of a failure in the last event. The open block stays open, for it is not complete."""
        return error_event(error_body(failure, request_id))

    def _begin(self, now_ns: int) -> list[bytes]:
        if self._has_begun:
            return []
        self._has_begun = True
        message = MessagesReply(
            id=message_id(now_ns, self._model),
            model=self._model,
            usage=TokenUsage(self._estimated_input, 0),
        )
        return [event("message_start", message=message)]

    def _say(self, kind: str, text: str, now_ns: int) -> list[bytes]:
        delta = DELTAS[kind]
        if self._open == kind:
            return [delta % (self._index, to_json(text))]
        before = [*self._begin(now_ns), *self._close_block()]
        self._open = kind
        return [*before, self._start_block(EMPTY[kind]), delta % (self._index, to_json(text))]

    def _write_call(self, call: AnswerToolCall) -> list[bytes]:
        arguments = bytes(call.function.arguments).decode()
        started = self._start_block(ToolUseBlock(call.id, call.function.name))
        self._open = "tool_use"
        return [started, DELTAS["input"] % (self._index, to_json(arguments)), *self._close_block()]

    def _start_block(self, block: ReplyBlock) -> bytes:
        return event("content_block_start", index=self._index, content_block=block)

    def _close_block(self) -> list[bytes]:
        if not self._open:
            return []
        self._open = ""
        self._index += 1
        return [event("content_block_stop", index=self._index - 1)]


def event(name: str, **fields: Any) -> bytes:
    """Write one event; its name stands in its data, too."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), to_json({"type": name, **fields}))


def error_event(body: ErrorBody) -> bytes:
    """Write the event that ends a stream which failed."""
    return b"event: error\ndata: %b\n\n" % to_json(body)
