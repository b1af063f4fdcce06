"""Servers that people run themselves, one row each. Pure. Sources: their documentation and source."""

from __future__ import annotations

from backends.wire import members
from backends.wire.dialect import Dialect, EmbedStyle, Fields, Fill, ModelSource, Prefill
from backends.wire.reading import Reading
from backends.wire.styles import LLAMA_OPTIONS, OPTIONS, TEMPLATE_MODELS, VLLM_OPTIONS, effort, template


def _vllm(name: str, label: str, **more: object) -> Dialect:
    """vLLM, and what is built around it."""
    fields: Fields = {
        "options": VLLM_OPTIONS,
        "stop_limit": 16,
        "tool_images": True,
        "think": template(),
        "embed": EmbedStyle(batch=256, normalised=True, dimensions=""),
        "per_model": TEMPLATE_MODELS,
        "routing_members": members.VLLM,
    }
    return Dialect(name=name, label=label, **{**fields, **more})


ROWS = (
    Dialect(
        name="generic",
        label="OpenAI-compatible (generic)",
        options=OPTIONS,
        routing_members=members.ANY,
        routing_tools=members.OPENROUTER_TOOLS,
    ),
    _vllm(
        "vllm",
        "vLLM",
        prefill=Prefill(body={"add_generation_prompt": False, "continue_final_message": True}),
    ),
    _vllm("sglang", "SGLang", routing_members=members.SGLANG),
    Dialect(
        name="llamacpp",
        label="llama.cpp",
        options=LLAMA_OPTIONS
        | {
            "typical_p": "typical_p",
            "repeat_last_n": "repeat_last_n",
            "num_keep": "n_keep",
        },
        stop_limit=64,
        tool_images=True,
        think=template(),
        embed=EmbedStyle(batch=32, normalised=True, dimensions=""),
        prefill=Prefill(echoes=True),
        # It has /messages and /responses too, but without the indices that official clients read by.
        bare_schema="json_schema",
        fill=Fill(
            path="/infill", from_root=True, prompt="input_prefix", suffix="input_suffix", answer="infill"
        ),
        sources=[ModelSource(path="/props", from_root=True, shape="props")],
        per_model=TEMPLATE_MODELS,
        routing_members=members.LLAMACPP,
    ),
    Dialect(
        name="lmstudio",
        label="LM Studio",
        options=LLAMA_OPTIONS,
        keep_alive="ttl",
        think=effort(off="none", on=None),
        format="schema",
        reading=Reading(tags="start"),
        embed=EmbedStyle(dimensions=""),
        routing_members=members.LMSTUDIO,
        # The older list knows what is loaded, the newer one whether it thinks.
        sources=[
            ModelSource(path="/api/v1/models", from_root=True),
            ModelSource(path="/api/v0/models", from_root=True),
        ],
    ),
    Dialect(
        name="tgi",
        label="Text Generation Inference",
        options={"temperature": "temperature", "top_p": "top_p", "seed": "seed", "stop": "stop"},
        ranges={"top_p": (0.001, 0.999)},
        format="value",
        reading=Reading(tags="start"),
        alternate_roles=True,
        merge_system="all",
        bare_calls="omit",
        embed=None,
        routing_members=members.TGI,
        sources=[ModelSource(path="/info", from_root=True, shape="info")],
    ),
    _vllm(
        "nim",
        "NVIDIA NIM",
        embed=EmbedStyle(
            batch=32,
            dimensions="",
            normalised=True,
            body={"input_type": "query"},
            truncate={"truncate": "END"},
        ),
        first_event_s=600.0,
    ),
    Dialect(
        name="litellm",
        label="LiteLLM proxy",
        merge_system="none",
        options=OPTIONS | {"top_k": "top_k"},
        think=effort(off="none", on="medium"),
        replay=["thinking_blocks"],
        messages=True,
        responses=True,
        routing_members=members.LITELLM,
        sources=[ModelSource(path="/model/info", shape="litellm")],
    ),
    Dialect(
        name="localai",
        label="LocalAI",
        options=LLAMA_OPTIONS,
        think=effort(off="none", on="medium"),
        routing_members=members.LOCALAI,
        sources=[ModelSource(path="/models/capabilities")],
    ),
    Dialect(
        name="ollama",
        label="Ollama, or another Llamagate",
        protocol="ollama",
        merge_system="none",
        # Its /v1, for clients that speak OpenAI's or Anthropic's API to us; to it we speak its own.
        options=OPTIONS,
        think=effort(off="none", on="medium", max="max"),
        embed=EmbedStyle(batch=256, normalised=True),
        fill=Fill(),
        messages=True,
        responses=True,
        sources=[ModelSource(path="/api/show", from_root=True, shape="ollama")],
    ),
)
