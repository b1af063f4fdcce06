"""Services that everybody reaches at one address: one row each. Pure.

They change without notice, so names of models stand in `per_model`, which an operator can lay over.
Sources: the services' API references, and the models' tables there.
"""

from __future__ import annotations

from backends.wire import members
from backends.wire.dialect import Dialect, EmbedStyle, Fields, ModelSource, Prefill, ThinkStyle
from backends.wire.reading import Reading
from backends.wire.styles import (
    ALWAYS,
    ANTHROPIC_THINKING,
    LEVELS,
    NO_THINKING,
    OPTIONS,
    SAMPLING,
    VLLM_OPTIONS,
    effort,
    levels,
    part,
)

_REASONING_OBJECT = ThinkStyle(
    off={"reasoning": {"effort": "none"}},
    on={"reasoning": {"enabled": True}},
    levels={level: {"reasoning": {"effort": "xhigh" if level == "max" else level}} for level in LEVELS},
)

# Models that think in secret: they refuse sampling, and their limit counts what they think.
_O_SERIES: Fields = {
    "drop_params": [*SAMPLING, "stop"],
    "max_tokens_minimum": 1024,
    "think": {
        "off": {"reasoning_effort": "low"},
        "on": {},
        "levels": levels("reasoning_effort", max="high"),
    },
}
_GPT_5: Fields = _O_SERIES | {
    "think": {
        "off": {"reasoning_effort": "minimal"},
        "on": {},
        "levels": levels("reasoning_effort", max="high"),
    }
}
_GPT_5_OFF: Fields = {
    "drop_params_when_reasoning": SAMPLING,
    "think": {
        "off": None,
        "on": {"reasoning_effort": "medium"},
        "levels": levels("reasoning_effort", max="xhigh"),
    },
}
_GPT_5_ON: Fields = {
    "drop_params_when_reasoning": SAMPLING,
    "reasons_by_default": True,
    "max_tokens_minimum": 1024,
    "think": {
        "off": {"reasoning_effort": "none"},
        "on": {},
        "levels": levels("reasoning_effort", max="xhigh"),
    },
}
_ONE_EFFORT: Fields = {"drop_params": [*SAMPLING, "stop"], "max_tokens_minimum": 1024} | NO_THINKING
_OPENAI_MODELS: dict[str, Fields] = {
    r"^o[134]\b|^gpt-5(?!\.|.*chat)": _O_SERIES,
    r"^gpt-5(-mini|-nano)?(-\d|$)": _GPT_5,
    r"^gpt-5\.[1-4]": _GPT_5_OFF,
    r"^gpt-5\.[5-9]|^gpt-[6-9]": _GPT_5_ON,
    r"^gpt-5\.\d+-chat": _ONE_EFFORT,
    r"^gpt-5\.1-codex|^gpt-5.*-pro\b": _O_SERIES,
    r"^gpt-(3|4)|^chatgpt|^gpt-5-chat": NO_THINKING,
    r"^gpt-(3|4(-|$))|^o[13]-mini": {"accepts_files": False},  # these see nothing but text and images
    r"^gpt-3\.5-turbo-instruct|^(davinci|babbage)-002": {
        "has_completions_api": True,
        "infill": {},
        "max_tokens": "max_tokens",  # completions know no other name
    },
}


def _openai(name: str, label: str, **more: object) -> Dialect:
    """OpenAI's own API, wherever it is served."""
    fields: Fields = {
        "max_tokens": "max_completion_tokens",
        "options": OPTIONS,
        "think": effort(off="none", on="medium"),
        "embeddings": EmbedStyle(batch_size=2048, normalized=True),
        "has_completions_api": False,
        "requires_json_word": True,
        "merge_system_messages": "none",
        "per_model": _OPENAI_MODELS,
        "routing_params": members.TOOL_MODELS,
    }
    return Dialect(name=name, label=label, **{**fields, **more})


ROWS = (
    _openai(
        "openai", "OpenAI", base_url="https://api.openai.com/v1", has_responses_api=True, accepts_files=True
    ),
    _openai(
        "azure",
        "Azure OpenAI (v1)",
        base_path="/openai/v1",
        auth="api-key",
        has_responses_api=True,
        idle_timeout_s=180.0,
        models_path="",
        routing_params=members.AZURE,
    ),
    _openai(
        "azure_deployments",
        "Azure OpenAI (deployments)",
        base_path="/openai",
        path_prefix="/deployments/{model}",
        auth="api-key",
        query={"api-version": "2024-10-21"},
        idle_timeout_s=180.0,
        models_path="",
        routing_params=members.AZURE,
    ),
    Dialect(
        name="openrouter",
        label="OpenRouter",
        accepts_files=True,
        accepts_max_completion_tokens=True,
        base_url="https://openrouter.ai/api/v1",
        base_path="/api/v1",
        merge_system_messages="none",
        headers={"X-Title": "Llamagate"},
        options=VLLM_OPTIONS,
        think=_REASONING_OBJECT,
        replay_fields=["reasoning_details"],
        has_messages_api=True,
        first_token_timeout_s=600.0,
        routing_params=members.OPENROUTER,
        routing_tool_types=members.OPENROUTER_TOOLS,
    ),
    Dialect(
        name="deepseek",
        label="DeepSeek",
        base_url="https://api.deepseek.com/v1",
        options={"temperature": "temperature", "top_p": "top_p", "stop": "stop"},
        max_stop_sequences=16,
        think=ThinkStyle(
            off={"thinking": {"type": "disabled"}},
            on={"thinking": {"type": "enabled"}},
            levels={
                level: {"thinking": {"type": "enabled"}, "reasoning_effort": word}
                for level, word in {"low": "low", "medium": "high", "high": "high", "max": "max"}.items()
            },
        ),
        replay_fields=["reasoning_content"],
        format="object",
        requires_json_word=True,
        accepts_images=False,
        embeddings=None,
        has_completions_api=False,
        first_token_timeout_s=660.0,
        # Of its models, those that only think do not fill in.
        per_model={r"^deepseek-(?!r|.*reason)": {"infill": {"path": "/beta/completions", "from_root": True}}},
    ),
    Dialect(
        name="groq",
        label="Groq",
        base_url="https://api.groq.com/openai/v1",
        base_path="/openai/v1",
        max_tokens="max_completion_tokens",
        options={"temperature": "temperature", "top_p": "top_p", "seed": "seed", "stop": "stop"},
        drop_params=["logprobs", "top_logprobs"],
        routing_params=members.GROQ,
        embeddings=None,
        has_completions_api=False,
        per_model={
            r"qwen": {
                "response_parsing": {
                    "reasoning_tags": "start"
                },  # unless `think` is said, it thinks in the text
                "think": {
                    "off": {"reasoning_effort": "none"},
                    "on": {"reasoning_effort": "default", "reasoning_format": "parsed"},
                    "levels": {
                        level: {"reasoning_effort": "default", "reasoning_format": "parsed"}
                        for level in LEVELS
                    },
                },
            },
            r"gpt-oss": {
                "think": {
                    "off": {"reasoning_effort": "low"},
                    "on": {"reasoning_effort": "medium"},
                    "levels": levels("reasoning_effort", max="high"),
                }
            },
        },
        # Few of its models take schemas, and not in a stream; all take JSON, if the messages say the word.
        format="object",
        requires_json_word=True,
    ),
    Dialect(
        name="mistral",
        label="Mistral",
        base_url="https://api.mistral.ai/v1",
        options=OPTIONS | {"seed": "random_seed"},
        param_ranges={"temperature": (0.0, 1.5)},
        drop_params=["logprobs", "top_logprobs"],
        accepts_stream_options=False,
        requires_json_word=True,
        drop_schema_keywords=["$id", "$schema", "additionalProperties", "strict"],
        tool_choices={"required": "any"},
        merge_system_messages="all",
        requires_alternating_roles=True,
        tool_calls_without_content="omit",
        requires_short_tool_call_ids=True,
        prefill=Prefill(message={"prefix": True}),
        embeddings=EmbedStyle(batch_size=32, dimensions="output_dimension", normalized=True),
        has_completions_api=False,
        per_model={
            r"codestral": {"infill": {"path": "/fim/completions"}},
            r"magistral": {
                "think": {
                    "on": {"prompt_mode": "reasoning"},
                    "levels": {level: {"prompt_mode": "reasoning"} for level in LEVELS},
                }
            },
        },
    ),
    Dialect(
        name="together",
        label="Together",
        late_system_messages="user",
        base_url="https://api.together.xyz/v1",
        options=VLLM_OPTIONS,
        accepts_stream_options=False,
        response_parsing=Reading(reasoning_tags="start"),
        think=ThinkStyle(
            off={"reasoning": {"enabled": False}},
            on={},
            levels=levels("reasoning_effort", max="high"),
        ),
        per_model={r"gpt-oss": ALWAYS},
        routing_params=members.TOGETHER,
    ),
    Dialect(
        name="fireworks",
        label="Fireworks",
        late_system_messages="user",
        base_url="https://api.fireworks.ai/inference/v1",
        base_path="/inference/v1",
        options={option: wire for option, wire in VLLM_OPTIONS.items() if option != "seed"},
        body={"context_length_exceeded_behavior": "error"},
        think=effort(off="none"),
        per_model={r"gpt-oss": ALWAYS},
    ),
    Dialect(
        name="xai",
        label="xAI",
        base_url="https://api.x.ai/v1",
        max_tokens="max_completion_tokens",
        response_parsing=Reading(completion_tokens_from="total"),
        options={"temperature": "temperature", "top_p": "top_p", "seed": "seed", "stop": "stop"},
        embeddings=None,
        has_completions_api=False,
        routing_params=members.TOOL_MODELS,
        metadata_sources=[ModelSource(path="/language-models")],
        per_model={
            r"grok-3-mini": {
                "drop_params": ["stop"],
                "think": {
                    "off": {"reasoning_effort": "low"},
                    "on": {"reasoning_effort": "high"},
                    "levels": levels("reasoning_effort", medium="high", max="high"),
                },
            },
            r"grok-4(?!.*non-reasoning)": {"drop_params": ["stop"]},
            r"grok-4\.3": part(effort(off="none")),
            r"grok-4\.[4-9]|grok-[5-9]": ALWAYS,
        },
        drop_schema_keywords=["strict"],
    ),
    Dialect(
        name="gemini",
        label="Google Gemini",
        names_tool_results=True,
        accepts_max_completion_tokens=True,
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        base_path="/v1beta/openai",
        options={"temperature": "temperature", "top_p": "top_p", "stop": "stop"},
        drop_params=["logprobs", "top_logprobs"],
        think=effort(off="low"),
        replay_fields=["extra_content"],
        merge_system_messages="all",
        embeddings=EmbedStyle(batch_size=100),
        has_completions_api=False,
        drop_schema_keywords=["$id", "$schema", "strict"],
        per_model={
            r"2\.5-flash": part(effort(off="none")),
            r"gemini-(1|2\.0)|gemma|learnlm": NO_THINKING,
        },
    ),
    Dialect(
        name="anthropic",
        label="Anthropic",
        accepts_max_completion_tokens=True,
        base_url="https://api.anthropic.com/v1",
        headers={"anthropic-version": "2023-06-01"},
        auth="bearer+x-api-key",
        options={"temperature": "temperature", "top_p": "top_p", "stop": "stop"},
        param_ranges={"temperature": (0.0, 1.0)},
        drop_params=["logprobs", "top_logprobs"],
        drop_params_when_reasoning=["temperature", "top_p"],
        think=ANTHROPIC_THINKING,
        format="prompt",
        merge_system_messages="all",
        embeddings=None,
        has_completions_api=False,
        has_messages_api=True,
        routing_params=members.ANTHROPIC,
        models_path="/models?limit=1000",  # unasked, it lists twenty
    ),
)
