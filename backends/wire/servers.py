"""Servers that people run themselves, one row each. Pure. Sources: their documentation and source."""

from __future__ import annotations

from backends.wire import members
from backends.wire.dialect import Dialect, EmbedStyle, Fields, Fill, ModelSource, Prefill, ThinkStyle
from backends.wire.reading import Reading
from backends.wire.styles import (
    LLAMA_GRAMMAR,
    LLAMA_OPTIONS,
    OPTIONS,
    TEMPLATE_MODELS,
    VLLM_OPTIONS,
    effort,
    levels,
    template,
)

INLINE_THINKING = Reading(reasoning_tags="start")
"""Where no parser for the model's tags is named, such a server leaves thinking in the text."""


def _vllm(name: str, label: str, **more: object) -> Dialect:
    """vLLM, and what is built around it."""
    fields: Fields = {
        "options": VLLM_OPTIONS,
        "max_stop_sequences": 16,
        "accepts_tool_result_images": True,
        "accepts_max_completion_tokens": True,
        "late_system_messages": "user",
        "think": template(),
        "embeddings": EmbedStyle(batch_size=256, normalized=True, dimensions=""),
        "per_model": TEMPLATE_MODELS,
        "routing_params": members.VLLM,
        "response_parsing": INLINE_THINKING,
    }
    return Dialect(name=name, label=label, **{**fields, **more})


ROWS = (
    Dialect(
        name="generic",
        label="OpenAI-compatible (generic)",
        accepts_max_completion_tokens=True,  # nobody knows
        # What most servers call it; one that does not know it says so, and is asked without it from then on.
        think=ThinkStyle(levels=levels("reasoning_effort", max="high")),
        response_parsing=INLINE_THINKING,
        late_system_messages="user",
        options=OPTIONS,
        routing_params=members.ANY,
        routing_tool_types=members.OPENROUTER_TOOLS,
    ),
    _vllm(
        "vllm",
        "vLLM",
        embeddings=EmbedStyle(
            batch_size=256, normalized=True, dimensions="", max_tokens="truncate_prompt_tokens"
        ),
        prefill=Prefill(body={"add_generation_prompt": False, "continue_final_message": True}),
    ),
    _vllm("sglang", "SGLang", routing_params=members.SGLANG),
    Dialect(
        name="llamacpp",
        label="llama.cpp",
        schema_grammar=LLAMA_GRAMMAR,
        response_parsing=INLINE_THINKING,
        options=LLAMA_OPTIONS
        | {
            "typical_p": "typical_p",
            "repeat_last_n": "repeat_last_n",
            "num_keep": "n_keep",
        },
        max_stop_sequences=64,
        late_system_messages="user",
        accepts_tool_result_images=True,
        think=template(),
        embeddings=EmbedStyle(batch_size=32, normalized=True, dimensions=""),
        prefill=Prefill(echoes=True),
        # It has /messages and /responses too, but without the indices that official clients read by.
        completions_schema_field="json_schema",
        infill=Fill(
            path="/infill",
            from_root=True,
            prompt="input_prefix",
            suffix="input_suffix",
            response_shape="infill",
        ),
        metadata_sources=[ModelSource(path="/props", from_root=True, shape="props")],
        per_model=TEMPLATE_MODELS,
        routing_params=members.LLAMACPP,
    ),
    Dialect(
        name="lmstudio",
        label="LM Studio",
        schema_grammar=LLAMA_GRAMMAR,
        late_system_messages="user",
        options=LLAMA_OPTIONS,
        keep_alive="ttl",
        think=effort(off="none", on=None),
        format="schema",
        response_parsing=INLINE_THINKING,
        embeddings=EmbedStyle(dimensions=""),
        routing_params=members.LMSTUDIO,
        # The older list knows what is loaded, the newer one whether it thinks.
        metadata_sources=[
            ModelSource(path="/api/v1/models", from_root=True),
            ModelSource(path="/api/v0/models", from_root=True),
        ],
    ),
    Dialect(
        name="tgi",
        label="Text Generation Inference",
        options={"temperature": "temperature", "top_p": "top_p", "seed": "seed", "stop": "stop"},
        param_ranges={"top_p": (0.001, 0.999)},
        format="value",
        response_parsing=INLINE_THINKING,
        requires_alternating_roles=True,
        late_system_messages="user",
        tool_calls_without_content="omit",
        embeddings=None,
        routing_params=members.TGI,
        metadata_sources=[ModelSource(path="/info", from_root=True, shape="info")],
    ),
    _vllm(
        "nim",
        "NVIDIA NIM",
        embeddings=EmbedStyle(
            batch_size=32,
            dimensions="",
            normalized=True,
            body={"input_type": "query"},
            truncate={"truncate": "END"},
        ),
        first_token_timeout_s=600.0,
    ),
    Dialect(
        name="litellm",
        label="LiteLLM proxy",
        accepts_files=True,
        accepts_max_completion_tokens=True,
        response_parsing=INLINE_THINKING,
        merge_system_messages="none",
        options=OPTIONS | {"top_k": "top_k"},
        think=effort(off="none", on="medium"),
        replay_fields=["thinking_blocks"],
        has_messages_api=True,
        has_responses_api=True,
        routing_params=members.LITELLM,
        metadata_sources=[ModelSource(path="/model/info", shape="litellm")],
    ),
    Dialect(
        name="localai",
        label="LocalAI",
        schema_grammar=LLAMA_GRAMMAR,
        response_parsing=INLINE_THINKING,
        late_system_messages="user",
        options=LLAMA_OPTIONS,
        think=effort(off="none", on="medium"),
        routing_params=members.LOCALAI,
        metadata_sources=[ModelSource(path="/models/capabilities")],
    ),
    Dialect(
        name="ollama",
        label="Ollama, or another Llamagate",
        accepts_max_completion_tokens=True,
        protocol="ollama",
        model_variants=(),  # a tag of its own is a model of its own
        merge_system_messages="none",
        # Its /v1, for clients that speak OpenAI's or Anthropic's API to us; to it we speak its own.
        options=OPTIONS,
        think=effort(off="none", on="medium", max="max"),
        embeddings=EmbedStyle(batch_size=256, normalized=True),
        infill=Fill(),
        has_messages_api=True,
        has_responses_api=True,
        metadata_sources=[
            ModelSource(path="/api/tags", from_root=True, shape="tags"),
            ModelSource(path="/api/show", from_root=True, shape="ollama"),
        ],
    ),
)
