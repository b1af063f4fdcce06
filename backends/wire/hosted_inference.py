"""Services that run open models, or find somebody who does: one row each. Pure."""

from __future__ import annotations

from backends.wire.dialect import Dialect, EmbedStyle, Fields, ThinkStyle
from backends.wire.reading import Reading
from backends.wire.styles import (
    ALWAYS,
    LEVELS,
    OPTIONS,
    TEMPLATE_MODELS,
    effort,
    part,
    template,
    three_efforts,
)

_DISABLE_REASONING = ThinkStyle(
    off={"disable_reasoning": True},
    on={"disable_reasoning": False},
    levels={level: {"disable_reasoning": False} for level in LEVELS},
)
_PARSED: Fields = {"reasoning_format": "parsed"}
"""Unless it is said, Cerebras leaves the thinking of Qwen in the text."""

ROWS = (
    Dialect(
        name="cerebras",
        label="Cerebras",
        documentation=[
            "https://inference-docs.cerebras.ai/api-reference/chat-completions",
            "https://inference-docs.cerebras.ai/resources/openai",
            "https://inference-docs.cerebras.ai/capabilities/reasoning",
        ],
        unverified=["accepts_stream_options", "late_system_messages", "per_model"],  # as to GLM 5 and Kimi
        base_url="https://api.cerebras.ai/v1",
        late_system_messages="user",
        max_tokens="max_completion_tokens",
        # Penalties are refused with 400.
        options={"temperature": "temperature", "top_p": "top_p", "seed": "seed", "stop": "stop"},
        param_ranges={"temperature": (0.0, 1.5)},
        format="schema",  # JSON without a schema cannot be streamed
        embeddings=None,
        per_model={
            r"gpt-oss": ALWAYS,
            r"glm-4": part(_DISABLE_REASONING) | {"reasons_by_default": True},
            r"glm-[5-9]|kimi": part(three_efforts()) | {"reasons_by_default": True},
            r"qwen-?3": part(ThinkStyle(on=_PARSED, levels=dict.fromkeys(LEVELS, _PARSED)))
            | {"response_parsing": {"reasoning_tags": "start"}},
        },
    ),
    Dialect(
        name="sambanova",
        label="SambaNova",
        documentation=[
            "https://docs.sambanova.ai/docs/api-reference/chat-completions/create-chat-based-completion",
            "https://docs.sambanova.ai/docs/en/features/openai-compatibility",
        ],
        unverified=["embeddings", "late_system_messages", "per_model", "response_parsing", "think"],
        base_url="https://api.sambanova.ai/v1",
        late_system_messages="user",
        # Penalties are taken and ignored.
        options={
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "seed": "seed",
            "stop": "stop",
        },
        param_ranges={"top_k": (1, 100)},
        response_parsing=Reading(reasoning_tags="start"),
        think=template(),
        embeddings=EmbedStyle(dimensions=""),
        per_model=TEMPLATE_MODELS,
    ),
    Dialect(
        name="nebius",
        label="Nebius Token Factory",
        late_system_messages="user",
        documentation=[
            "https://docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion",
            "https://docs.tokenfactory.nebius.com/api-reference/inference/create-completion",
            "https://docs.nebius.com/studio/api/examples",
        ],
        unverified=["embeddings", "late_system_messages", "per_model", "response_parsing"],
        response_parsing=Reading(reasoning_tags="start"),
        base_url="https://api.tokenfactory.nebius.com/v1",
        hosts=["api.tokenfactory.*.nebius.com", "api.studio.nebius.com", "api.studio.nebius.ai"],
        options={
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "stop": "stop",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        },
        think=effort(off=None),
        per_model={r"gpt-oss": ALWAYS},
        models_path="/models?verbose=true",  # unasked, it lists names only
    ),
    Dialect(
        name="huggingface",
        label="Hugging Face (router)",
        late_system_messages="user",
        documentation=[
            "https://huggingface.co/docs/inference-providers/tasks/chat-completion",
            "https://huggingface.co/docs/inference-providers/hub-api",
        ],
        unverified=["late_system_messages", "per_model", "response_parsing"],
        response_parsing=Reading(reasoning_tags="start"),
        base_url="https://router.huggingface.co/v1",
        options=OPTIONS,
        embeddings=None,
        has_completions_api=False,
        per_model={r"gpt-oss": ALWAYS},
    ),
)
