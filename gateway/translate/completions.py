"""/api/generate with `raw` or `suffix`, and plain completions: a prompt that no template may touch. Pure.

The answers have the shape that `generate` reads. A mapping's system prompt and example turns stay out: raw
means raw, in Ollama too. Source: Ollama `server/routes.go:GenerateHandler`.
"""

from __future__ import annotations

from typing import Any

from backends.routing.snapshot import MappingRules, Target
from backends.wire.dialect import Dialect, Fill
from core.model_names import full_name
from gateway.diagnostics import PLAIN, Diagnostics, TranslationContext
from gateway.errors import BadRequest
from gateway.generation import GenerationRequest, Prompt, ResponseFormat
from gateway.translate.chat_completions import (
    FOREIGN_CONTEXT,
    NEEDS_LOGPROBS,
    OWN_FIELD,
    add_dialect_fields,
    fit_body,
    keep_alive_fields,
    usage_fields,
)
from gateway.translate.options import wire_options
from gateway.translate.response_format import ANY_OBJECT, build_fields
from gateway.translate.schema_grammar import fit_schema

PATH = "/completions"
NO_TEMPLATE = (
    "template is not supported: the backend applies its own, and ignoring yours would change the prompt"
)
NO_RAW = "raw mode is not supported by this backend"
NO_IMAGES = "images are not supported in raw mode by this backend"
ANY_SUFFIX = Fill()
UNTEMPLATED = {
    "system": "the prompt is sent as it is: only a template has a place for it",
    "think": "the prompt is sent as it is: only a template has a switch for it",
}


def explain_inability(model: str, prompt: Prompt) -> str:
    """Say that no backend of the model can do it, in Ollama's words where it has some."""
    if prompt.needs_ollama:
        return NO_TEMPLATE
    return f"{full_name(model)} does not support insert" if prompt.suffix else NO_RAW


def find_infill(target: Target, rules: MappingRules) -> Fill | None:
    """Say how a target fills in the middle: its dialect's way, or OpenAI's if that is known to work."""
    probed = target.probe_results.can.get("insert")
    if probed is False and not rules.capabilities:
        return None
    is_claimed = "insert" in rules.capabilities or probed is True
    return target.dialect.infill or (
        ANY_SUFFIX if is_claimed and target.dialect.has_completions_api else None
    )


def build_completion(
    request: GenerationRequest, target: Target, context: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the body of a completion. Raises `BadRequest`."""
    prompt = request.prompt or Prompt()
    return {"prompt": prompt.text, **_build_shared_fields(request, prompt, target, context.diagnostics)}


def build_infill(
    fill: Fill, request: GenerationRequest, target: Target, context: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the body of a completion between two texts. Raises `BadRequest`."""
    prompt = request.prompt or Prompt()
    shared = _build_shared_fields(request, prompt, target, context.diagnostics)
    return {fill.prompt: prompt.text, fill.suffix: prompt.suffix, **shared}


def _build_shared_fields(
    request: GenerationRequest, prompt: Prompt, target: Target, diagnostics: Diagnostics
) -> dict[str, Any]:
    if prompt.images:
        raise BadRequest(NO_IMAGES)
    dialect = target.dialect
    body: dict[str, Any] = {
        **add_dialect_fields(dialect.body, OWN_FIELD, diagnostics),
        "model": target.model,
        **wire_options(request.options, dialect, diagnostics),
    }
    if request.response_format is not None:
        body |= _form(request.response_format, dialect, diagnostics)
    if request.logprobs:
        body["logprobs"] = max(1, request.top_logprobs)
    if request.logprobs and "logprobs" not in dialect.drop_params:
        diagnostics.note_mapped("top_logprobs", "logprobs")
    elif request.top_logprobs:
        diagnostics.note_dropped("top_logprobs", NEEDS_LOGPROBS)
    if prompt.system:
        diagnostics.note_dropped("system", UNTEMPLATED["system"])
    if prompt.context:
        diagnostics.note_dropped("context", FOREIGN_CONTEXT)
    if request.think not in (None, ""):
        diagnostics.note_dropped("think", UNTEMPLATED["think"])
    body |= keep_alive_fields(request.keep_alive, dialect, diagnostics)
    return fit_body(body | usage_fields(request, dialect, diagnostics), None, dialect, diagnostics)


def _form(form: ResponseFormat, dialect: Dialect, diagnostics: Diagnostics) -> dict[str, Any]:
    """Constrain the answer; the schema goes in bare where completions know another word for it than chats."""
    if not dialect.completions_schema_field:
        return build_fields(form, dialect, diagnostics)
    field = dialect.completions_schema_field
    diagnostics.note_mapped("format", field)
    schema = ANY_OBJECT if form.schema is None else form.schema
    return {field: fit_schema(schema, dialect, "format", field, diagnostics)}
