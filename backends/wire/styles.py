"""Words that the rows of several kinds of servers share. Pure."""

from __future__ import annotations

import msgspec

from backends.wire.dialect import Fields, SchemaGrammar, ThinkStyle

LEVELS = ("low", "medium", "high", "max")
BUDGETS = {"low": 2048, "medium": 8192, "high": 16384, "max": 32000}
"""Tokens to think in, for services that count them."""
SAMPLING = ["temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"]
"""What models refuse that sample in one way only."""
OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
VLLM_OPTIONS = OPTIONS | {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty"}
LLAMA_OPTIONS = OPTIONS | {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repeat_penalty"}


LLAMA_GRAMMAR = SchemaGrammar(
    # No look-around, no classes such as \\d, no escapes but of what has a meaning in patterns.
    pattern=(
        r"\^(?:[^\\\[\](){}|.*+?^$]|\\[\^$.\[\](){}|*+?]|\[\^?(?:[^\\\]\[]|\\[\\\]\[])+\]"
        r"|[|.)]|\((?!\?)|[*+?](?![*+?])|\{\d{1,3}(?:,\d{0,3})?\}(?![*+?]))*+\$"
    ),
    formats=["date", "time", "date-time", "uuid"],
)
"""llama.cpp's, and of what is built on it. Source: its `common/json-schema-to-grammar.cpp`."""


def levels(field: str, **words: str) -> dict[str, Fields]:
    """Give each level its own word, or the one that stands for it."""
    return {level: {field: words.get(level, level)} for level in LEVELS}


def effort(off: str | None, on: str | None = None, **words: str) -> ThinkStyle:
    """Switch by `reasoning_effort`. None: not sent, which is this kind's own default."""
    return ThinkStyle(
        off={"reasoning_effort": off} if off else None,
        on={"reasoning_effort": on} if on else {},
        levels=levels("reasoning_effort", **({"max": "high"} | words)),
    )


def three_efforts() -> ThinkStyle:
    """Switch by `reasoning_effort`, of which there are low, high and max; off is the least of it."""
    return ThinkStyle(
        off={"reasoning_effort": "low"}, on={}, levels=levels("reasoning_effort", medium="high")
    )


def template(name: str = "enable_thinking") -> ThinkStyle:
    """Switch by an argument of the chat template; templates that know levels read the effort."""
    on: Fields = {"chat_template_kwargs": {name: True}}
    return ThinkStyle(
        off={"chat_template_kwargs": {name: False}},
        on=on,
        levels={level: on | {"reasoning_effort": "high" if level == "max" else level} for level in LEVELS},
    )


def part(style: ThinkStyle) -> Fields:
    """Give a part for `per_model` that switches thinking in this way."""
    return {"think": msgspec.to_builtins(style)}


ALWAYS: Fields = part(effort(off="low"))
"""For models that always think: off asks for the least of it, and what still comes is not shown."""
TEMPLATE_MODELS: dict[str, Fields] = {
    r"(?i)gpt-oss": ALWAYS,
    r"(?i)deepseek|granite|kimi": part(template("thinking")),
}
"""Models whose chat templates have words of their own, wherever a template is what switches."""

ANTHROPIC_THINKING = ThinkStyle(
    on={"thinking": {"type": "enabled", "budget_tokens": BUDGETS["medium"]}},
    levels={level: {"thinking": {"type": "enabled", "budget_tokens": BUDGETS[level]}} for level in LEVELS},
)
"""As Anthropic has it, wherever its models are served."""
NO_THINKING: Fields = {"think": {}}
"""For models without a switch."""
