"""Why an answer ended, in whatever words a backend says it. Pure.

Sources: the references of OpenAI, Anthropic, Gemini (`FinishReason`), Mistral, DeepSeek, Zhipu and Bedrock;
Text Generation Inference `FinishReason`; SGLang and vLLM, "abort"; OpenRouter, "error".
"""

from __future__ import annotations

STOPS = frozenset(
    {
        "complete",
        "completed",
        "done",
        "end",
        "end_of_text",
        "end_of_turn",
        "end_turn",
        "eos",
        "eos_token",
        "finish",
        "finished",
        "function_call",
        "load",
        "pause_turn",
        "stop",
        "stop_sequence",
        "stop_token",
        "tool_call",
        "tool_calls",
        "tool_use",
        "unload",
    }
)
"""Good ends, also of an answer without words. Ollama's two are of requests that only load a model."""
LENGTHS = frozenset(
    {
        "length",
        "max_length",
        "max_new_tokens",
        "max_output_tokens",
        "max_tokens",
        "model_context_window_exceeded",
        "model_length",
    }
)
FILTERS = frozenset(
    {
        "blocklist",
        "content_blocked",
        "content_filter",
        "content_filtered",
        "function_call_filter",
        "guardrail_intervened",
        "guardrails",
        "image_prohibited_content",
        "image_safety",
        "language",
        "malformed_function_call",
        "prohibited_content",
        "recitation",
        "refusal",
        "safety",
        "sensitive",
        "spii",
    }
)
"""The backend kept the answer back, or the rest of it."""
BROKEN_OFF = {
    "abort": 500,
    "aborted": 500,
    "cancelled": 500,
    "error": 500,
    "failed": 500,
    "insufficient_system_resource": 503,
    "network_error": 500,
}
"""Ends that are none -> the status that says so."""
NONE = frozenset({"none", "null"})
"""How a chunk says that it is not the end, where it has to say something."""
CALLS = frozenset({"tool_call", "tool_calls", "tool_use"})
OPENAI = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
PREFIXES = ("finish_reason_", "finishreason.")
"""How Google's libraries write a name that stands for a number."""


def plain_reason(reason: str) -> str:
    """Write a reason as the tables here have it: in small letters, without what stands behind a colon."""
    name = reason.partition(":")[0].strip().lower()
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def openai_reason(plain: str) -> str:
    """Give the word that clients of OpenAI's API know; their types have no others."""
    if plain in OPENAI:
        return plain
    if plain in CALLS:
        return "tool_calls"
    if plain in LENGTHS:
        return "length"
    return "content_filter" if plain in FILTERS else "stop"


def is_known(reason: str) -> bool:
    """Say whether a plain reason is one of those that explain an answer without words."""
    return reason in STOPS or reason in LENGTHS or reason in FILTERS
