"""How kinds of OpenAI-compatible servers differ: one frozen `Dialect` each, no branches anywhere.

A new kind of server is one entry here and one golden folder per quirk. If a quirk does not fit the
fields, add a field with a default; never ask for a dialect's name.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal

import msgspec

from backends.wire.reading import Reading


class ThinkStyle(msgspec.Struct, frozen=True):
    """How `think` is switched: the wire fields to merge into the body for off, on and each level.

    A value of None means that this kind of server has no such switch, so nothing is sent.
    """

    off: dict[str, Any] | None = None
    on: dict[str, Any] | None = None
    levels: dict[str, dict[str, Any]] = {}


def _effort(off: str | None, maximum: str, on: str | None = "medium") -> ThinkStyle:
    def body(level: str | None) -> dict[str, Any] | None:
        return None if level is None else {"reasoning_effort": level}

    words = {"low": "low", "medium": "medium", "high": "high", "max": maximum}
    return ThinkStyle(body(off), body(on), {word: {"reasoning_effort": sent} for word, sent in words.items()})


def _template_kwargs(name: str = "enable_thinking") -> ThinkStyle:
    on: dict[str, Any] = {"chat_template_kwargs": {name: True}}
    levels = {"low": "low", "medium": "medium", "high": "high", "max": "high"}
    return ThinkStyle(
        off={"chat_template_kwargs": {name: False}},
        on=on,
        levels={word: on | {"reasoning_effort": sent} for word, sent in levels.items()},
    )


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """How a server fills in the middle: between the prompt and `suffix` of /api/generate."""

    path: str = "/completions"
    from_root: bool = False
    """Whether `path` stands beside the base URL's /v1, not below it."""
    prompt: str = "prompt"
    suffix: str = "suffix"
    answer: Literal["choices", "infill"] = "choices"
    """The shape of what comes back: OpenAI's, or llama.cpp's own."""


OPENAI_OPTIONS = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "top_p",
        "seed": "seed",
        "stop": "stop",
        "presence_penalty": "presence_penalty",
        "frequency_penalty": "frequency_penalty",
    }
)


def _options(**more: str) -> dict[str, str]:
    return {**OPENAI_OPTIONS, **more}


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of server wants and gives."""

    name: str
    label: str
    """As the admin shows it."""
    auth: Literal["bearer", "api-key", "none"] = "bearer"
    max_tokens: str = "max_tokens"
    """The wire name of Ollama's `num_predict`."""
    options: dict[str, str] = msgspec.field(default_factory=_options)
    """Ollama option -> wire name. What is not here is not sent."""
    stop_limit: int = 4
    asks_for_usage: bool = True
    """Whether `stream_options.include_usage` is understood."""
    think: ThinkStyle = ThinkStyle()
    json_object: bool = True
    """Whether `response_format: json_object` is understood; else a schema that allows any object is sent."""
    embed_dimensions: bool = True
    """Whether `dimensions` is understood; else vectors are cut here."""
    embed_normalised: bool = False
    """Whether vectors come with length one, so that their JSON can be passed on unread."""
    completes: bool = True
    """Whether there is a `/completions`, for prompts that no template may touch."""
    bare_schema: str = ""
    """The member of a `/completions` body that takes a bare JSON schema, if not `response_format`."""
    fill: Fill | None = None
    """How it fills in the middle, if every model of this kind of server can or says itself that it cannot."""
    messages: bool = False
    """Whether it has Anthropic's `/messages` itself, so that such requests pass untranslated."""
    responses: bool = False
    """Whether it has OpenAI's `/responses` itself."""
    reading: Reading = Reading()
    """How its answers are read."""


_DIALECTS = (
    Dialect(name="generic", label="OpenAI-compatible (generic)"),
    Dialect(
        name="openai",
        label="OpenAI",
        max_tokens="max_completion_tokens",
        think=_effort(off="none", maximum="high"),
        embed_normalised=True,
        completes=False,
        responses=True,
    ),
    Dialect(
        name="vllm",
        label="vLLM",
        options=_options(top_k="top_k", min_p="min_p", repeat_penalty="repetition_penalty"),
        stop_limit=16,
        think=_template_kwargs(),
        embed_normalised=True,
        embed_dimensions=False,
    ),
    Dialect(
        name="llamacpp",
        label="llama.cpp",
        options=_options(
            top_k="top_k",
            min_p="min_p",
            typical_p="typical_p",
            repeat_penalty="repeat_penalty",
            repeat_last_n="repeat_last_n",
            num_keep="n_keep",
        ),
        stop_limit=64,
        think=_template_kwargs(),
        embed_normalised=True,
        embed_dimensions=False,
        # It has /messages and /responses too, but without the indices that official clients read by.
        bare_schema="json_schema",
        fill=Fill(
            path="/infill", from_root=True, prompt="input_prefix", suffix="input_suffix", answer="infill"
        ),
    ),
)

DIALECTS: MappingProxyType[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _DIALECTS})


def dialect_choices() -> list[tuple[str, str]]:
    """List (name, label) for a form. A callable, so that a new dialect needs no migration."""
    return [(dialect.name, dialect.label) for dialect in _DIALECTS]
