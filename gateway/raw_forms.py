"""The protocols whose bodies pass as bytes, a row each: where system prompt and turns stand. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.dialect import Dialect

Fields = dict[str, msgspec.Raw]

NULL = msgspec.Raw(b"null")
EMPTY = (b"null", b"[]")
# What Ollama reads on these routes, or we do: Go takes it in any case.
KNOWN_MEMBERS = frozenset(
    [
        "model",
        "messages",
        "prompt",
        "suffix",
        "input",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "seed",
        "stop",
        "frequency_penalty",
        "presence_penalty",
        "response_format",
        "tools",
        "tool_choice",
        "reasoning",
        "reasoning_effort",
        "logprobs",
        "top_logprobs",
        "n",
        "dimensions",
        "encoding_format",
    ]
)
SYSTEM_ROLES = ("system", "developer")
LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
"""Two names of one option: whichever is said, it replaces the other."""
OLLAMA_MEMBERS = frozenset(
    [
        "keep_alive",
        "options",
        "think",
        "format",
        "template",
        "context",
        "raw",
        "truncate",
        "shift",
        "system",
        "images",
        "_debug_render_only",
    ]
)
"""Members of Ollama's own API that OpenAI's does not have."""

decode_fields = msgspec.json.Decoder(Fields).decode


class RawForm(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol whose bodies pass."""

    name: str
    path: str
    """Below the base URL."""
    verb: str = ""
    """What a model that cannot do it is said not to support; empty: that is not asked."""
    system: str = ""
    """The member for the system prompt; empty: a first turn holds it, if there are turns."""
    turns: str = ""
    """The member for the turns; empty: there are none, and a system prompt has no place either."""
    roles: frozenset[str] = frozenset({"user", "assistant", "system"})
    """Who may speak in the turns."""
    names: Dialect | None = None
    """The names of options there; None: the target's dialect has them."""
    takes_options: bool = True
    counts_tokens: bool = False
    """Whether a stream's tokens have to be asked for."""
    ollama_members: frozenset[str] = OLLAMA_MEMBERS
    """Members that are none of this protocol's, but of Ollama's own API."""


CHAT = RawForm(name="chat", path="/chat/completions", verb="chat", turns="messages", counts_tokens=True)
COMPLETIONS = RawForm(name="completions", path="/completions", verb="generate", counts_tokens=True)
EMBEDDINGS = RawForm(name="embeddings", path="/embeddings", takes_options=False)
MESSAGES = RawForm(
    name="messages",
    path="/messages",
    system="system",
    turns="messages",
    roles=frozenset({"user", "assistant"}),
    ollama_members=OLLAMA_MEMBERS - {"system"},
    names=Dialect(
        name="messages",
        label="",
        options={
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "stop": "stop_sequences",
        },
    ),
)
RESPONSES = RawForm(
    name="responses",
    path="/responses",
    system="instructions",
    turns="input",
    names=Dialect(
        name="responses",
        label="",
        max_tokens="max_output_tokens",
        options={"temperature": "temperature", "top_p": "top_p"},
    ),
)


def encode_fields(fields: dict[str, Any]) -> Fields:
    """Write the members of an object."""
    return {name: encode_raw(value) for name, value in fields.items()}


def encode_raw(value: Any) -> msgspec.Raw:
    """Write a value."""
    return msgspec.Raw(msgspec.json.encode(value))
