"""The neutral request for generated text: a conversation or a prompt, whatever API said it. Pure.

Every client API translates to it, the mapping's rules are applied to it, and every protocol of backends is
built from it. Turns have the form of a chat completion's messages, which is the form that most backends take.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.diagnostics import Diagnostics

Turn = dict[str, Any]
"""A message of a chat completion: role, content, and what belongs to tool calls."""


class ResponseFormat(msgspec.Struct, frozen=True):
    """A JSON schema, or any JSON object."""

    schema: dict[str, Any] | None = None
    name: str = "response"
    more: dict[str, Any] = {}
    """Members beside the schema that OpenAI knows, such as `strict`."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What /api/generate asks: a prompt that is no conversation. An Ollama backend gets it unsplit."""

    text: str = ""
    suffix: str = ""
    images: list[str] = []
    system: str = ""
    template: str = ""
    context: list[int] = []
    """Tokens of an Ollama, which nobody else can read."""
    earlier: list[Turn] = []
    """The conversation that goes before, where the client brought one in `context`."""
    is_raw: bool = False

    @property
    def is_templated(self) -> bool:
        """Whether a backend puts it into a conversation, where a system prompt has a place."""
        return not (self.is_raw or self.suffix)

    @property
    def needs_ollama(self) -> bool:
        """Whether only a backend that speaks Ollama's API can take it."""
        return bool(self.template)

    @property
    def needs_generation(self) -> bool:
        """Whether such a backend can take it by its own /api/generate only, and not as a chat."""
        return bool(self.template or self.context)


class OllamaForm(msgspec.Struct, kw_only=True):
    """The same request in the words of Ollama's API, for backends that speak it, so that nothing is lost."""

    messages: list[Any] = []
    tools: list[dict[str, Any]] = []
    format: msgspec.Raw = msgspec.Raw(b"")


class GenerationRequest(msgspec.Struct, kw_only=True):
    """One request for generated text."""

    model: str
    """As the client wrote it."""
    stream: bool = False
    verb: str = "chat"
    """What a model that cannot do it is said not to support: chat, or generate."""
    system: str = ""
    """The system prompt, where the API has a field of its own for it."""
    turns: list[Turn] = []
    turn_notes: Diagnostics | None = None
    """What became of the client's messages when they were brought into this form; None: nobody asks."""
    ollama: OllamaForm | None = None
    prompt: Prompt | None = None
    tools: list[dict[str, Any]] = []
    tool_fields: dict[str, Any] = {}
    """Members beside the tools: `tool_choice`, `parallel_tool_calls`."""
    response_format: ResponseFormat | None = None
    options: dict[str, Any] = {}
    """Under Ollama's names: what the client set, and once the rules are applied, what holds."""
    client_options: dict[str, Any] = {}
    """What the client set, for the warning of what a backend has no field for."""
    think: Any = None
    """True, false, or an effort; None says nothing."""
    requires_thinking: bool = False
    """Whether `think` is a demand, which is refused where it is known that a model cannot."""
    hides_thinking: bool = False
    """Whether thinking that comes all the same is kept from the client."""
    requires_images: bool = True
    """Whether images are refused where a kind of backend takes none; else they are told of in words."""
    logprobs: bool = False
    top_logprobs: int = 0
    keep_alive: Any = None
    truncate: bool = True
    shift: bool = True
    debug_render_only: bool = False
    private: Any = None
    """The request as its API parsed it: for its own encoder, and for the trace."""
