"""Text and thinking in lists of parts, under the names that backends have for them. Pure.

Sources: the API references of Mistral (`thinking`), OpenAI (`reasoning`, with `summary` or `content`),
OpenRouter (`reasoning_details`) and Anthropic (`thinking`); LiteLLM `thinking_blocks`.
"""

from __future__ import annotations

from typing import Any

THOUGHTS = frozenset(
    {"reasoning", "reasoning_content", "reasoning_text", "summary", "summary_text", "thinking", "thought"}
)
"""Types of parts that hold thinking."""
MEMBERS = ("text", "thinking", "reasoning", "reasoning_content", "summary", "content")
"""Where a part has its text, or a list of parts that have it."""


def read_parts(parts: list[Any]) -> tuple[str, str]:
    """Join a list of content parts: (text, thinking)."""
    text: list[str] = []
    thinking: list[str] = []
    for part in parts:
        if not isinstance(part, dict):
            continue
        if part.get("type") in THOUGHTS:
            thinking.append(read_thinking(part))
        elif isinstance(part.get("text"), str):
            text.append(part["text"])
    return "".join(text), "".join(thinking)


def read_thinking(part: dict[str, Any]) -> str:
    """Give the text of a part that holds thinking, from the first member that has some."""
    return next((text for name in MEMBERS if (text := join_texts(part.get(name)))), "")


def join_texts(value: Any) -> str:
    """Join the texts of what may be a text, a part, or a list of both, without recursion."""
    texts: list[str] = []
    rest = [value]
    while rest:
        inner = rest.pop()
        if isinstance(inner, str):
            texts.append(inner)
        elif isinstance(inner, list):
            rest += reversed(inner)
        elif isinstance(inner, dict):
            rest.append(next((found for name in MEMBERS if (found := inner.get(name))), None))
    return "".join(texts)
