"""Clouds, where the address holds an account, a workspace or a project: one row each. Pure.

What lists of models they have lies outside the base URL, so that every name has to be mapped.
"""

from __future__ import annotations

from backends.wire import members
from backends.wire.dialect import Dialect, EmbedStyle
from backends.wire.reading import Reading
from backends.wire.styles import (
    ALWAYS,
    ANTHROPIC_THINKING,
    NO_THINKING,
    OPTIONS,
    SAMPLING,
    VLLM_OPTIONS,
    effort,
    part,
)

ROWS = (
    Dialect(
        name="cloudflare",
        label="Cloudflare Workers AI",
        documentation=[
            "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/",
            "https://developers.cloudflare.com/workers-ai/features/json-mode/",
            "https://developers.cloudflare.com/workers-ai/models/gpt-oss-120b/",
        ],
        unverified=[
            "accepts_stream_options",
            "body",
            "embeddings",
            "late_system_messages",
            "per_model",
            "response_parsing",
        ],
        base_path="",
        hosts=["api.cloudflare.com"],
        late_system_messages="user",
        # Unasked, an answer ends after 256 tokens.
        body={"max_tokens": 4096},
        # There is no `stop`: such strings are looked for in the answer here.
        options={option: wire for option, wire in VLLM_OPTIONS.items() if option not in ("stop", "min_p")},
        routing_params=members.CLOUDFLARE,
        response_parsing=Reading(reasoning_tags="start"),
        format="prompt",  # a handful of older models has a JSON mode, and not in streams
        embeddings=EmbedStyle(dimensions=""),
        has_completions_api=False,
        models_path="",
        per_model={r"gpt-oss": ALWAYS},
    ),
    Dialect(
        name="databricks",
        label="Databricks",
        documentation=[
            "https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference",
            "https://docs.databricks.com/aws/en/machine-learning/model-serving/score-reason-models",
            "https://docs.databricks.com/gcp/en/generative-ai/foundation-models/query-by-type",
        ],
        unverified=["accepts_stream_options", "embeddings", "options", "per_model"],
        base_path="/serving-endpoints",
        hosts=["*.cloud.databricks.com", "*.azuredatabricks.net", "*.gcp.databricks.com"],
        options={"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "stop": "stop"},
        embeddings=EmbedStyle(dimensions=""),
        has_completions_api=False,
        models_path="",
        per_model={
            r"claude": part(ANTHROPIC_THINKING) | {"drop_params_when_reasoning": ["temperature", "top_p"]},
            r"gpt-oss": ALWAYS,
            r"gpt-5": ALWAYS | {"drop_params": [*SAMPLING, "stop"], "max_tokens_minimum": 1024},
        },
    ),
    Dialect(
        name="github",
        label="GitHub Models",
        documentation=["https://docs.github.com/en/rest/models/inference"],
        unverified=["embeddings", "per_model"],
        base_url="https://models.github.ai/inference",
        base_path="/inference",
        options=OPTIONS,
        drop_params=["logprobs", "top_logprobs"],
        has_completions_api=False,
        models_path="",
        per_model={
            r"/(o[134]\b|gpt-5)": ALWAYS
            | {
                "max_tokens": "max_completion_tokens",
                "max_tokens_minimum": 1024,
                "drop_params": [*SAMPLING, "stop"],
            },
        },
    ),
    Dialect(
        name="vertex",
        label="Google Vertex AI (OpenAI endpoint)",
        names_tool_results=True,
        documentation=[
            "https://cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview",
            "https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/call-vertex-using-openai-library",
        ],
        unverified=["drop_schema_keywords", "merge_system_messages", "replay_fields"],  # as of `gemini`
        base_path="",
        hosts=["aiplatform.googleapis.com", "*-aiplatform.googleapis.com"],
        options=OPTIONS,
        drop_params=["logprobs", "top_logprobs"],
        think=effort(off="low"),
        replay_fields=["extra_content"],
        merge_system_messages="all",
        embeddings=None,
        has_completions_api=False,
        models_path="",
        drop_schema_keywords=["$id", "$schema", "strict"],
        per_model={r"gemini-(1|2\.0)|gemma": NO_THINKING},
    ),
)
