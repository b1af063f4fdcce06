"""Makers of models in China, who serve them at addresses of their own in and outside it: one row each. Pure.

They call thinking a switch of the request, where others know levels of effort.
"""

from __future__ import annotations

from backends.wire.dialect import Dialect, EmbedStyle, Fields, Prefill, ThinkStyle
from backends.wire.reading import Reading
from backends.wire.styles import BUDGETS, LEVELS, SAMPLING, part, three_efforts

_LOG_PROBABILITIES = ["logprobs", "top_logprobs"]
_AUTO_ONLY = {"required": "auto"}
"""A call cannot be demanded there; asking for one anyway is an error."""


def _switch(on: str = "enabled") -> ThinkStyle:
    """Switch by `thinking`, which has no levels."""
    thinking: Fields = {"thinking": {"type": on}}
    return ThinkStyle(
        off={"thinking": {"type": "disabled"}}, on=thinking, levels=dict.fromkeys(LEVELS, thinking)
    )


_ALWAYS_THINKS: Fields = {"think": {}, "reasons_by_default": True}

ROWS = (
    Dialect(
        name="moonshot",
        label="Moonshot (Kimi)",
        documentation=[
            "https://platform.kimi.ai/docs/api/chat",
            "https://platform.kimi.ai/docs/api/models-overview",
            "https://platform.kimi.ai/docs/guide/migrating-from-openai-to-kimi",
        ],
        unverified=["per_model"],  # as to Kimi K2.7 and K3, of which other clients' sources speak
        base_url="https://api.moonshot.ai/v1",
        hosts=["api.moonshot.cn"],
        max_tokens="max_completion_tokens",
        options={
            "temperature": "temperature",
            "top_p": "top_p",
            "stop": "stop",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        },
        max_stop_sequences=5,
        param_ranges={"temperature": (0.0, 1.0)},
        drop_params=_LOG_PROBABILITIES,
        tool_choices=_AUTO_ONLY,
        requires_json_word=True,
        replay_fields=["reasoning_content"],
        prefill=Prefill(message={"partial": True}),
        embeddings=None,
        has_completions_api=False,
        per_model={
            # Their sampling is fixed, and other values are refused.
            r"^kimi-(k2\.[5-9]|k[3-9])": {"drop_params": SAMPLING, "reasons_by_default": True},
            r"^kimi-k2\.[56]": part(_switch()),
            r"^kimi-k[3-9]": part(three_efforts()),
            r"^kimi-k2(-thinking|\.[7-9])": _ALWAYS_THINKS,
        },
    ),
    Dialect(
        name="dashscope",
        label="Alibaba Model Studio (DashScope, Qwen)",
        documentation=[
            "https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions",
            "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
            "https://www.alibabacloud.com/help/en/model-studio/deep-thinking",
            "https://www.alibabacloud.com/help/en/model-studio/embedding-interfaces-compatible-with-openai",
            "https://www.alibabacloud.com/help/en/model-studio/error-code",
        ],
        unverified=["models_path", "prefill"],
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        base_path="/compatible-mode/v1",
        hosts=[
            "dashscope.aliyuncs.com",
            "*.dashscope.aliyuncs.com",
            "dashscope-us.aliyuncs.com",
            "*.maas.aliyuncs.com",
        ],
        options={
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "seed": "seed",
            "stop": "stop",
            "presence_penalty": "presence_penalty",
            "repeat_penalty": "repetition_penalty",
        },
        param_ranges={"temperature": (0.0, 1.99), "top_p": (0.01, 1.0)},
        think=ThinkStyle(
            off={"enable_thinking": False},
            on={"enable_thinking": True},
            levels={level: {"enable_thinking": True, "thinking_budget": BUDGETS[level]} for level in LEVELS},
        ),
        tool_choices=_AUTO_ONLY,
        # Few of its models take schemas; all take JSON, if the messages say the word.
        format="object",
        requires_json_word=True,
        late_system_messages="user",  # they have to stand at the beginning
        prefill=Prefill(message={"partial": True}),
        embeddings=EmbedStyle(batch_size=10),
        has_completions_api=False,
    ),
    Dialect(
        name="zhipu",
        label="Zhipu (Z.ai, GLM)",
        documentation=[
            "https://docs.bigmodel.cn/api-reference/模型-api/对话补全",
            "https://docs.z.ai/api-reference/llm/chat-completion",
        ],
        unverified=["accepts_stream_options", "embeddings", "models_path", "per_model"],
        base_url="https://open.bigmodel.cn/api/paas/v4",
        base_path="/api/paas/v4",
        hosts=["api.z.ai"],
        options={"temperature": "temperature", "top_p": "top_p", "stop": "stop"},
        max_stop_sequences=1,
        param_ranges={"temperature": (0.0, 1.0), "top_p": (0.01, 1.0)},
        drop_params=_LOG_PROBABILITIES,
        accepts_stream_options=False,  # its streams end with the counts, unasked
        tool_choices=_AUTO_ONLY,
        format="object",
        requires_json_word=True,
        replay_fields=["reasoning_content"],
        has_completions_api=False,
        per_model={
            r"^glm-(4\.[5-9]|[5-9])": part(_switch()) | {"reasons_by_default": True},
            r"^glm-5\.[3-9]": part(three_efforts()),
            r"^glm-z1": {"response_parsing": {"reasoning_tags": "start"}},
        },
    ),
    Dialect(
        name="minimax",
        label="MiniMax",
        documentation=[
            "https://platform.minimax.io/docs/api-reference/text-chat",
            "https://platform.minimax.io/docs/api-reference/text-openai-api",
        ],
        unverified=["max_tokens", "models_path", "per_model"],
        base_url="https://api.minimax.io/v1",
        hosts=["api.minimaxi.com"],
        max_tokens="max_completion_tokens",
        # There is no `stop`: such strings are looked for in the answer here.
        options={"temperature": "temperature", "top_p": "top_p"},
        param_ranges={"temperature": (0.01, 1.0), "top_p": (0.01, 1.0)},
        drop_params=_LOG_PROBABILITIES,
        body={"reasoning_split": True},
        response_parsing=Reading(reasoning_tags="start"),  # where a body passed, and was not split
        replay_fields=["reasoning_details"],
        format="prompt",
        embeddings=None,
        has_completions_api=False,
        per_model={
            r"(?i)minimax-m[12]\b": _ALWAYS_THINKS | {"accepts_images": False},
            r"(?i)minimax-m[3-9]\b": part(_switch(on="adaptive")) | {"reasons_by_default": True},
        },
    ),
)
