"""Anthropic's wire types, as far as we read and write them, and a call as we understood it. Pure.

What is not here (`metadata`, `cache_control`, `service_tier`, `budget_tokens`, ...) is skipped undecoded and
goes nowhere. Every field may be null. Raw JSON is looked into by those who need it: block types that we do
not know may hold anything in it.
Source: Anthropic API reference, "Messages"; Ollama v0.33 `anthropic/anthropic.go`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

NOTHING = msgspec.Raw(b"")


class Block(msgspec.Struct):
    """A content block of any type."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    title: str | None = None
    id: str | None = None
    name: str | None = None
    tool_use_id: str | None = None
    tool_name: str | None = None
    is_error: bool | None = None
    input: msgspec.Raw = NOTHING
    content: msgspec.Raw = NOTHING
    source: msgspec.Raw = NOTHING


class Source(msgspec.Struct):
    """Where an image or a document is."""

    type: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: msgspec.Raw = NOTHING


class Turn(msgspec.Struct):
    """One turn of a conversation: plain text, or blocks."""

    role: str | None = None
    content: str | list[Block | None] | None = None


class Tool(msgspec.Struct):
    """A tool of the client's own, or one that Anthropic knows by its type."""

    type: str | None = None
    name: str | None = None
    description: str | None = None
    input_schema: Any = None


class ToolChoice(msgspec.Struct):
    """Whether tools may, must or must not be used."""

    type: str | None = None
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct):
    """The switch for thinking: enabled, disabled, or adaptive, which leaves it to the model."""

    type: str | None = None


class OutputFormat(msgspec.Struct):
    """A JSON schema that the answer has to fit."""

    type: str | None = None
    schema: msgspec.Raw = NOTHING


class OutputConfig(msgspec.Struct):
    """How much effort, and which form."""

    effort: str | None = None
    format: OutputFormat | None = None


class MessagesBody(msgspec.Struct):
    """POST /v1/messages, as it comes. Its part without `max_tokens` is that of count_tokens."""

    model: str | None = None
    max_tokens: int | None = None
    messages: list[Turn | None] | None = None
    system: Any = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str | None] | None = None
    tools: list[Tool | None] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None


class MessagesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call, understood: options in Ollama's names, all else in OpenAI's."""

    keep_alive: ClassVar[None] = None
    """Anthropic's API has no such thing."""

    model: str
    stream: bool = False
    system: str = ""
    turns: list[dict[str, Any]]
    tools: list[dict[str, Any]] = []
    tool_choice: dict[str, Any] = {}
    """The body fields that say how tools are to be used."""
    options: dict[str, Any] = {}
    think: Any = None
    format: msgspec.Raw = NOTHING
    left_out: dict[str, str] = {}
    """What of the call is not sent -> why."""


class TextBlock(msgspec.Struct, tag_field="type", tag="text", frozen=True):
    """What the model said."""

    text: str


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking", frozen=True):
    """What the model thought. Clients want a signature; only Anthropic could give one that means anything."""

    thinking: str
    signature: str = ""


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use", frozen=True):
    """A tool call. `input` is an object, as raw JSON."""

    id: str
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")


ReplyBlock = TextBlock | ThinkingBlock | ToolUseBlock
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]


class TokenUsage(msgspec.Struct, frozen=True):
    """Token counts."""

    input_tokens: int
    output_tokens: int


class MessagesReply(msgspec.Struct, kw_only=True):
    """A whole answer, or the beginning of a streamed one."""

    id: str
    type: str = "message"
    role: str = "assistant"
    model: str
    content: list[ReplyBlock] = []
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    usage: TokenUsage


class ErrorDetail(msgspec.Struct, frozen=True):
    """What went wrong: a word for programs, a sentence for people."""

    type: str
    message: str


class ErrorBody(msgspec.Struct, tag_field="type", tag="error", frozen=True):
    """The body of every error."""

    error: ErrorDetail
    request_id: str
