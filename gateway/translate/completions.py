"""/api/generate with `raw` or `suffix`, and plain completions: a prompt that no template may touch. Pure.

The answers have the shape that `generate` reads. A mapping's system prompt and example turns stay out: raw
means raw, in Ollama too. Source: Ollama `server/routes.go:GenerateHandler`.
"""

from __future__ import annotations

from typing import Any

from backends.routing.snapshot import MappingRules, Target
from backends.wire.dialect import Dialect, Fill
from core.model_names import full_name
from gateway.errors import BadRequest
from gateway.translate.chat_completions import (
    NEEDS_LOGPROBS,
    OWN_FIELD,
    add_dialect_fields,
    fit_body,
    keep_alive_fields,
    usage_fields,
)
from gateway.translate.diagnostics import PLAIN, Diagnostics, TranslationContext
from gateway.translate.options import merge_options, wire_options
from gateway.translate.response_format import ANY_OBJECT, Form, fields, of_format
from ollama_api.ollama.types import GenerateRequest

PATH = "/completions"
NO_TEMPLATE = (
    "template is not supported: the backend applies its own, and ignoring yours would change the prompt"
)
NO_CONTEXT = "context is not supported by this server: send the conversation to /api/chat instead"
NO_RAW = "raw mode is not supported by this backend"
NO_IMAGES = "images are not supported in raw mode by this backend"
ANY_SUFFIX = Fill()
UNTEMPLATED = {
    "system": "the prompt is sent as it is: only a template has a place for it",
    "think": "the prompt is sent as it is: only a template has a switch for it",
}


def refusal(call: GenerateRequest) -> str:
    """Say that no backend of the model can do it, in Ollama's words where it has some."""
    if call.template or call.context:
        return NO_TEMPLATE if call.template else NO_CONTEXT
    return f"{full_name(call.model)} does not support insert" if call.suffix else NO_RAW


def fill_of(target: Target, rule: MappingRules) -> Fill | None:
    """Say how a target fills in the middle: its dialect's way, or OpenAI's if that is known to work."""
    probed = target.probed.can.get("insert")
    if probed is False and not rule.capabilities:
        return None
    is_claimed = "insert" in rule.capabilities or probed is True
    return target.dialect.fill or (ANY_SUFFIX if is_claimed and target.dialect.completes else None)


def raw_body(
    call: GenerateRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the body of a completion."""
    return {"prompt": call.prompt, **_build_shared(call, target, rule, aside.notes)}


def fill_body(
    call: GenerateRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the body of a completion between two texts."""
    fill = fill_of(target, rule) or ANY_SUFFIX
    return {
        fill.prompt: call.prompt,
        fill.suffix: call.suffix,
        **_build_shared(call, target, rule, aside.notes),
    }


def _build_shared(
    call: GenerateRequest, target: Target, rule: MappingRules, notes: Diagnostics
) -> dict[str, Any]:
    if call.images:
        raise BadRequest(NO_IMAGES)
    dialect = target.dialect
    body: dict[str, Any] = {**add_dialect_fields(dialect.body, OWN_FIELD, notes), "model": target.model}
    body |= wire_options(
        merge_options(rule.options, call.options, rule.forced_options, notes), dialect, notes
    )
    form = of_format(call.format)
    if form is not None:
        body |= _form(form, dialect, notes)
    if call.logprobs:
        body["logprobs"] = max(1, call.top_logprobs)
    if call.logprobs and "logprobs" not in dialect.drops:
        notes.mapped("top_logprobs", "logprobs")
    elif call.top_logprobs:
        notes.dropped("top_logprobs", NEEDS_LOGPROBS)
    for name, reason in UNTEMPLATED.items():
        if getattr(call, name) not in (None, ""):
            notes.dropped(name, reason)
    body |= keep_alive_fields(call, dialect, notes)
    return fit_body(body | usage_fields(call, dialect, notes), None, dialect, notes)


def _form(form: Form, dialect: Dialect, notes: Diagnostics) -> dict[str, Any]:
    """Constrain the answer; the schema goes in bare where completions know another word for it than chats."""
    if not dialect.bare_schema:
        return fields(form, dialect, notes)
    notes.mapped("format", dialect.bare_schema)
    return {dialect.bare_schema: ANY_OBJECT if form.schema is None else form.schema}
