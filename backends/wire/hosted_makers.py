"""Further makers of models, who serve them themselves: one row each. Pure."""

from __future__ import annotations

from backends.wire.dialect import Dialect, EmbedStyle, Fields, ThinkStyle
from backends.wire.styles import ALWAYS, LEVELS, OPTIONS, part

_HIGH: Fields = {"reasoning_effort": "high"}

ROWS = (
    Dialect(
        name="cohere",
        label="Cohere (compatibility API)",
        documentation=[
            "https://docs.cohere.com/docs/compatibility-api",
            "https://docs.cohere.com/reference/chat",
            "https://docs.cohere.com/reference/embed",
        ],
        unverified=["accepts_stream_options", "models_path"],
        base_url="https://api.cohere.ai/compatibility/v1",
        base_path="/compatibility/v1",
        hosts=["api.cohere.com"],
        options=OPTIONS,
        param_ranges={
            "temperature": (0.0, 1.0),
            "top_p": (0.01, 0.99),
            "presence_penalty": (0.0, 1.0),
            "frequency_penalty": (0.0, 1.0),
        },
        drop_params=["logprobs", "top_logprobs"],
        format="object_schema",
        requires_json_word=True,
        embeddings=EmbedStyle(batch_size=96, dimensions=""),
        has_completions_api=False,
        models_path="",
        per_model={
            # Of the efforts there are two.
            r"reasoning": part(
                ThinkStyle(off={"reasoning_effort": "none"}, on=_HIGH, levels=dict.fromkeys(LEVELS, _HIGH))
            )
        },
    ),
    Dialect(
        name="perplexity",
        label="Perplexity",
        documentation=[
            "https://docs.perplexity.ai/api-reference/chat-completions-post",
            "https://docs.perplexity.ai/guides/chat-completions-guide",
            "https://docs.perplexity.ai/faq/faq",
        ],
        unverified=["accepts_stream_options", "merge_system_messages", "requires_alternating_roles"],
        base_url="https://api.perplexity.ai",
        base_path="",
        options={
            "temperature": "temperature",
            "top_p": "top_p",
            "stop": "stop",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        },
        param_ranges={"temperature": (0.0, 1.99)},
        drop_params=["logprobs", "top_logprobs"],
        format="schema",
        merge_system_messages="all",
        requires_alternating_roles=True,
        embeddings=None,
        has_completions_api=False,
        models_path="",
        per_model={
            r"reasoning": {"response_parsing": {"reasoning_tags": "start"}, "reasons_by_default": True},
            r"deep-research": ALWAYS | {"reasons_by_default": True, "first_token_timeout_s": 600.0},
        },
    ),
)
