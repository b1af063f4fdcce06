"""Towards a backend that speaks Ollama's own API: what came goes on, with the mapping's rules applied. Pure.

Options, `keep_alive`, `think` and `format` mean there what they mean here, so nothing is translated or lost.
"""

from __future__ import annotations

from typing import Any

from backends.routing.snapshot import MappingRules, Target
from gateway.translate.chat_completions import OWN_FIELD, OWN_TURNS, add_dialect_fields
from gateway.translate.diagnostics import PLAIN, Diagnostics, TranslationContext
from gateway.translate.options import merge_options
from gateway.translate.response_format import of_format
from ollama_api.ollama.types import ChatRequest, GenerateRequest, Message

Fields = dict[str, Any]

CHAT_PATH = "/api/chat"
GENERATE_PATH = "/api/generate"
EMBED_PATH = "/api/embed"
UNSAID: Fields = {
    "think": None,
    "keep_alive": None,
    "truncate": True,
    "shift": True,
    "logprobs": False,
    "top_logprobs": 0,
}
"""Members that are sent as they are, and what they are when nothing is said."""


def chat_body(
    call: ChatRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> Fields:
    """Make the body of a chat."""
    brings_system = bool(call.messages) and call.messages[0].role == "system"
    first = [Message("system", rule.system)] if rule.system and not brings_system else []
    examples = [Message(turn["role"], turn["content"]) for turn in rule.messages]
    body = _begin_body(target, aside.notes) | {"messages": [*first, *examples, *call.messages]}
    if first or examples:
        aside.notes.added("messages", OWN_TURNS)
    for place, message in enumerate(call.messages):
        if message.thinking:
            aside.notes.mapped(f"messages[{place}].thinking", "messages")
    if call.tools:
        body["tools"] = call.tools
    return body | _build_shared(call, rule, aside.notes)


def generate_body(
    call: GenerateRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> Fields:
    """Make the body of a generation."""
    body = _begin_body(target, aside.notes) | {"prompt": call.prompt}
    said = {name: getattr(call, name) for name in ("suffix", "images", "raw", "template", "context")}
    body |= {name: value for name, value in said.items() if value}
    for name in said:
        if name in body:
            aside.notes.mapped(name, name)
    system = "" if call.raw else call.system or rule.system
    if system:
        body["system"] = system
        aside.notes.mapped("system", "system")
    if rule.messages:
        aside.notes.dropped("", "the mapping's example turns: a generation has no place for them there")
    return body | _build_shared(call, rule, aside.notes)


def _begin_body(target: Target, notes: Diagnostics) -> Fields:
    return {**add_dialect_fields(target.dialect.body, OWN_FIELD, notes), "model": target.model}


def _build_shared(call: ChatRequest | GenerateRequest, rule: MappingRules, notes: Diagnostics) -> Fields:
    body: Fields = {"stream": call.stream}
    options = merge_options(rule.options, call.options, rule.forced_options, notes)
    if options:
        body["options"] = options
    for name in options:
        notes.mapped(f"options.{name}", "options")
    if of_format(call.format) is not None:  # what is none is refused here, in Ollama's words
        body["format"] = call.format
        notes.mapped("format", "format")
    for name, unsaid in UNSAID.items():
        value = getattr(call, name)
        if value != unsaid:
            body[name] = value
            notes.mapped(name, name)
    return body


def embed_body(inputs: list[str], dimensions: int, target: Target, *, truncate: bool) -> Fields:
    """Make the body of an embedding."""
    body: Fields = {"model": target.model, "input": inputs}
    if dimensions:
        body["dimensions"] = dimensions
    return body if truncate else body | {"truncate": False}
