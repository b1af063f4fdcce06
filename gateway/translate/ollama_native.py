"""Towards a backend that speaks Ollama's own API: what came goes on, with the mapping's rules applied. Pure.

Options, `keep_alive`, `think` and `format` mean there what they mean here, so nothing is translated or lost.
"""

from __future__ import annotations

from typing import Any

from backends.routing.snapshot import Target
from gateway.diagnostics import PLAIN, Diagnostics, TranslationContext
from gateway.generation import GenerationRequest, OllamaForm, Prompt
from gateway.translate.chat_completions import OWN_FIELD, add_dialect_fields
from gateway.translate.embeddings import EmbeddingPart

Fields = dict[str, Any]

UNSAID: Fields = {
    "think": None,
    "keep_alive": None,
    "truncate": True,
    "shift": True,
    "logprobs": False,
    "top_logprobs": 0,
}
"""Members that are sent as they are, and what they are when nothing is said."""


def build_chat(request: GenerationRequest, target: Target, context: TranslationContext = PLAIN) -> Fields:
    """Make the body of a chat. Raises `BadRequest`."""
    form = request.ollama or OllamaForm()
    body = _begin_body(target, context.diagnostics) | {"messages": form.messages}
    for place, message in enumerate(getattr(request.private, "messages", ())):
        if message.thinking:
            context.diagnostics.note_mapped(f"messages[{place}].thinking", "messages")
    if request.prompt is not None and request.prompt.earlier:
        context.diagnostics.note_mapped("context", "messages")
    if form.tools:
        body["tools"] = form.tools
    return body | _build_shared_fields(request, form, context.diagnostics)


def build_generation(
    request: GenerationRequest, target: Target, context: TranslationContext = PLAIN
) -> Fields:
    """Make the body of a generation. Raises `BadRequest`."""
    prompt, form = request.prompt or Prompt(), request.ollama or OllamaForm()
    body = _begin_body(target, context.diagnostics) | {"prompt": prompt.text}
    if prompt.earlier:
        context.diagnostics.note_dropped("context", "a template of the client's own has no place for turns")
    optional = {
        "suffix": prompt.suffix,
        "images": prompt.images,
        "raw": prompt.is_raw,
        "template": prompt.template,
        "context": prompt.context,
        "system": "" if prompt.is_raw else request.system,
    }
    for name, value in optional.items():
        if value:
            body[name] = value
            context.diagnostics.note_mapped(name, name)
    return body | _build_shared_fields(request, form, context.diagnostics)


def _begin_body(target: Target, diagnostics: Diagnostics) -> Fields:
    return {**add_dialect_fields(target.dialect.body, OWN_FIELD, diagnostics), "model": target.model}


def _build_shared_fields(request: GenerationRequest, form: OllamaForm, diagnostics: Diagnostics) -> Fields:
    body: Fields = {"stream": request.stream}
    if request.options:
        body["options"] = request.options
    for name in request.options:
        diagnostics.note_mapped(f"options.{name}", "options")
    if request.response_format is not None:
        body["format"] = form.format
        diagnostics.note_mapped("format", "format")
    for name, unsaid in UNSAID.items():
        value = getattr(request, name)
        if value != unsaid:
            body[name] = value
            diagnostics.note_mapped(name, name)
    return body


def build_embedding(part: EmbeddingPart, target: Target, context: TranslationContext = PLAIN) -> Fields:
    """Make the body of an embedding."""
    body: Fields = {"model": target.model, "input": part.texts}
    if part.dimensions:
        body["dimensions"] = part.dimensions
    if part.options:
        body["options"] = dict(part.options)
    for name in part.options:
        context.diagnostics.note_mapped(f"options.{name}", "options")
    return body if part.truncate else body | {"truncate": False}
