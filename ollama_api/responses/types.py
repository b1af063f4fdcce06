"""The wire types of POST /v1/responses: what we read of a request, and what we write. Pure.

Source: OpenAI API reference, "Responses"; the `openai` Python library's `types/responses`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType


class Reasoning(msgspec.Struct):
    """How much the model shall think."""

    effort: str | None = None
    summary: str | None = None


class TextFormat(msgspec.Struct, omit_defaults=True):
    """The form that the text shall have: `text`, `json_object`, or `json_schema` with the rest."""

    type: str
    name: str | None = ""
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class TextConfig(msgspec.Struct, omit_defaults=True):
    """What the text shall be like. `verbosity` is a hint that chat completions have no common field for."""

    format: TextFormat | None = None
    verbosity: str | None = None


class ResponsesRequest(msgspec.Struct, kw_only=True):
    """POST /v1/responses. Unknown fields are skipped; null is absent."""

    keep_alive: ClassVar[None] = None
    """The protocol knows none."""

    model: str = ""
    input: Any = None
    """Text or items as they came; `responses.parse` leaves the messages of a chat completion here."""
    instructions: str | None = None
    stream: bool = False
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    include: list[str] = []
    reasoning: Reasoning | None = None
    text: TextConfig = msgspec.field(default_factory=TextConfig)
    tools: list[dict[str, Any]] = []
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    """Counts OpenAI's own tools only, of which none run here: any number is kept."""
    metadata: dict[str, str] = {}
    truncation: str = "disabled"
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    # What `responses.REFUSED` answers.
    previous_response_id: Any = None
    conversation: Any = None
    prompt: Any = None
    background: bool = False
    context_management: Any = None
    moderation: Any = None

    @property
    def options(self) -> dict[str, Any]:
        """Give the sampling parameters under Ollama's names, as the mapping's options have them."""
        options = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "num_predict": self.max_output_tokens,
        }
        return {name: value for name, value in options.items() if value is not None}


class SummaryText(msgspec.Struct, tag_field="type", tag="summary_text"):
    """A part of a reasoning item."""

    text: str


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    """A part of a message."""

    text: str
    annotations: list[Any] = []
    logprobs: list[dict[str, Any]] = []


class ReasoningItem(msgspec.Struct, tag_field="type", tag="reasoning"):
    """What the model thought."""

    id: str
    summary: list[SummaryText]
    encrypted_content: str | UnsetType = UNSET
    """The same, for clients that throw the summary away; there once the item is whole."""


class MessageItem(msgspec.Struct, tag_field="type", tag="message"):
    """What the model said."""

    id: str
    status: str
    content: list[OutputText]
    role: str = "assistant"


class FunctionCallItem(msgspec.Struct, tag_field="type", tag="function_call"):
    """A function that the client shall call."""

    id: str
    status: str
    call_id: str
    name: str
    arguments: str
    namespace: str | UnsetType = UNSET


class CustomCallItem(msgspec.Struct, tag_field="type", tag="custom_tool_call"):
    """A tool that the client shall call with a text."""

    id: str
    status: str
    call_id: str
    name: str
    input: str
    namespace: str | UnsetType = UNSET


OutputItem = ReasoningItem | MessageItem | FunctionCallItem | CustomCallItem


class IncompleteDetails(msgspec.Struct):
    """Why there is no more."""

    reason: str


class ResponseError(msgspec.Struct):
    """Why it failed."""

    code: str
    message: str


class InputTokensDetails(msgspec.Struct):
    """Of the prompt's tokens."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct):
    """Of the answer's tokens; 0 when the backend did not say."""

    reasoning_tokens: int = 0


class ResponseUsage(msgspec.Struct):
    """Token counts; 0 when the backend did not say."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class Response(msgspec.Struct, kw_only=True):
    """A response. Every field is always sent: typed clients count on that."""

    id: str
    object: str = "response"
    created_at: int
    completed_at: int | None = None
    status: str = "in_progress"
    background: bool = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: str
    output: list[OutputItem] = []
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    reasoning: Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = False
    """Nothing is kept here, whatever was asked."""
    temperature: float = 1.0
    text: TextConfig
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = []
    top_logprobs: int = 0
    top_p: float = 1.0
    presence_penalty: float = 0
    frequency_penalty: float = 0
    truncation: str = "disabled"
    usage: ResponseUsage | None = None
    user: str | None = None
    metadata: dict[str, str] = {}
