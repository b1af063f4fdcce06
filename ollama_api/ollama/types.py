"""Ollama's wire types, in Ollama's field order. Pure.

Source: Ollama v0.33 `api/types.go`. `GO_NAMES` holds the type names that its JSON decoder puts into error
texts; `lax` reads them.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.answer import AnswerToolCall
from gateway.go_json import GO_NAMES

GoInt = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Go's int. What is larger goes to `lax`, which says so."""


class FunctionCall(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A called function. `arguments` is an object, kept as it came."""

    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    index: GoInt = 0


class ToolCall(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A tool call of an assistant turn, whole."""

    function: FunctionCall = msgspec.field(default_factory=FunctionCall)
    id: str = ""
    type: str = ""


class Message(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: str = ""
    content: str = ""
    thinking: str = ""
    images: list[str] = []
    tool_calls: list[ToolCall] = []
    tool_name: str = ""
    tool_call_id: str = ""
    name: Any = None
    """Not Ollama's: OpenAI's older word for `tool_name`, which it becomes."""


class _Common(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What chat and generate share."""

    model: str = ""
    stream: bool = True
    format: msgspec.Raw = msgspec.Raw(b"")
    options: dict[str, Any] = {}
    keep_alive: Any = None
    think: Any = None
    truncate: bool = True
    shift: bool = True
    logprobs: bool = False
    top_logprobs: GoInt = 0
    debug_render_only: bool = msgspec.field(default=False, name="_debug_render_only")


class ChatRequest(_Common, kw_only=True):
    """POST /api/chat."""

    messages: list[Message] = []
    tools: list[dict[str, Any]] = []


class GenerateRequest(_Common, kw_only=True):
    """POST /api/generate."""

    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: list[GoInt] = []
    raw: bool = False
    images: list[str] = []


class EmbedRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """POST /api/embed."""

    model: str = ""
    input: Any = None
    truncate: bool = True
    dimensions: GoInt = 0
    keep_alive: Any = None
    options: dict[str, Any] = {}


class EmbeddingRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """POST /api/embeddings, the older form."""

    model: str = ""
    prompt: str = ""
    keep_alive: Any = None
    options: dict[str, Any] = {}


class ShowRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """POST /api/show. `name` is the older word for `model`."""

    model: str = ""
    name: str = ""
    system: str = ""
    template: str = ""
    verbose: bool = False
    options: dict[str, Any] = {}


class ReplyMessage(msgspec.Struct, omit_defaults=True, frozen=True):
    """The assistant's turn. Role and content are always sent."""

    role: str
    content: str
    thinking: str = ""
    tool_calls: tuple[AnswerToolCall, ...] = ()


class ChatReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A line of a streamed chat, or the whole answer."""

    model: str
    created_at: str
    message: ReplyMessage
    done: bool | None = None
    done_reason: str = ""
    logprobs: list[dict[str, Any]] = []
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0


class GenerateReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A line of a streamed generation, or the whole answer."""

    model: str
    created_at: str
    response: str | None = None
    thinking: str = ""
    done: bool | None = None
    done_reason: str = ""
    context: list[Any] = []
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    logprobs: list[dict[str, Any]] = []


class EmbedReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer of /api/embed. Each vector is raw JSON."""

    model: str
    embeddings: list[msgspec.Raw] | None = None
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0


class EmbeddingReply(msgspec.Struct):
    """The answer of /api/embeddings."""

    embedding: msgspec.Raw


class Details(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a model is, in words."""

    parent_model: str | None = None
    format: str | None = None
    family: str | None = None
    families: list[str] | None = None
    parameter_size: str | None = None
    quantization_level: str | None = None
    description: str = ""
    """Of the mapping; Ollama has none."""
    context_length: int = 0
    embedding_length: int = 0


class ModelEntry(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An entry of /api/tags, or of /api/ps with the fields that only that has."""

    name: str
    model: str
    remote_model: str = ""
    remote_host: str = ""
    modified_at: str = ""
    size: int | None = None
    digest: str = ""
    details: Details
    capabilities: list[str] | msgspec.UnsetType = msgspec.UNSET
    expires_at: str = ""
    size_vram: int | msgspec.UnsetType = msgspec.UNSET
    context_length: int | msgspec.UnsetType = msgspec.UNSET


class Recommendation(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An entry of /api/experimental/model-recommendations. Source: Ollama `api/types.go`."""

    model: str
    description: str | None = None
    context_length: int = 0
    max_output_tokens: int = 0


class ShowReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer of /api/show."""

    license: str = ""
    modelfile: str = ""
    parameters: str | None = None
    template: str | None = None
    system: str = ""
    details: Details
    messages: list[dict[str, str]] = []
    remote_model: str = ""
    remote_host: str = ""
    model_info: dict[str, Any] | None = None
    projector_info: dict[str, Any] = {}
    capabilities: list[str]
    """Written when empty, too: clients look into it without asking whether it is there."""
    modified_at: str = ""


class NameRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What pull, push and delete share. `name` is the older word for `model`."""

    model: str = ""
    name: str = ""
    insecure: bool = False
    username: str = ""
    password: str = ""
    stream: bool = True

    @property
    def model_name(self) -> str:
        """The name that was given, in either field."""
        return self.model or self.name


class PullRequest(NameRequest, kw_only=True):
    """POST /api/pull."""


class PushRequest(NameRequest, kw_only=True):
    """POST /api/push."""


class DeleteRequest(NameRequest, kw_only=True):
    """DELETE /api/delete."""


class CopyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """POST /api/copy."""

    source: str = ""
    destination: str = ""


class CreateRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """POST /api/create: what a Modelfile says, taken apart by the client.

    `quantization` is the older word for `quantize`.
    """

    model: str = ""
    name: str = ""
    from_: str = msgspec.field(default="", name="from")
    files: dict[str, Any] = {}
    adapters: dict[str, Any] = {}
    template: str | None = None
    license: Any = None
    system: str | None = None
    parameters: dict[str, Any] = {}
    messages: list[Message] | None = None
    quantize: str = ""
    quantization: str = ""
    draft_files: dict[str, Any] = {}
    draft_quantize: str = ""
    remote_host: str = ""
    stream: bool = True

    @property
    def is_about_weights(self) -> bool:
        """Whether it would have to change or import weights."""
        quantised = self.quantize or self.quantization or self.draft_quantize
        return bool(self.files or self.adapters or self.draft_files or quantised)


class Progress(msgspec.Struct, omit_defaults=True):
    """A line of progress."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0


GO_NAMES.update(
    {
        ChatRequest: "ChatRequest",
        GenerateRequest: "GenerateRequest",
        EmbedRequest: "EmbedRequest",
        EmbeddingRequest: "EmbeddingRequest",
        ShowRequest: "ShowRequest",
        PullRequest: "PullRequest",
        PushRequest: "PushRequest",
        DeleteRequest: "DeleteRequest",
        CopyRequest: "CopyRequest",
        CreateRequest: "CreateRequest",
        Message: "Alias",
        ToolCall: "ToolCall",
        FunctionCall: "ToolCallFunction",
    }
)
