"""What a request needs of a model, held against what is known for sure of it. Pure.

Only the operator's word or a probe's refuses a request: what is guessed of a model refuses nothing.
"""

from __future__ import annotations

from backends.routing.snapshot import MappingRules
from core.model_names import full_name
from gateway.errors import BadRequest
from gateway.generation import GenerationRequest
from gateway.operation import Operation
from gateway.raw_body import RawBody
from gateway.translate.message_normalization import has_image


def check_capabilities(operation: Operation, rules: MappingRules) -> None:
    """Refuse what the model cannot do, in Ollama's words. Raises `BadRequest`."""
    if isinstance(operation, GenerationRequest):
        _check_generation(operation, rules)
    elif isinstance(operation, RawBody) and operation.form.verb:
        _require(rules, "completion", f'"{operation.model}" does not support {operation.form.verb}')
        if operation.has_tools:
            _require(rules, "tools", f"{full_name(operation.model)} does not support tools")


def _check_generation(request: GenerationRequest, rules: MappingRules) -> None:
    prompt = request.prompt
    if prompt is not None and prompt.is_raw and (prompt.needs_generation or prompt.system):
        raise BadRequest("raw mode does not support template, system, or context")
    _require(rules, "completion", f'"{request.model}" does not support {request.verb}')
    if request.think and request.requires_thinking:
        _require(rules, "thinking", f'"{request.model}" does not support thinking')
    if request.tools:
        _require(rules, "tools", f"{full_name(request.model)} does not support tools")
    if prompt is not None and prompt.suffix:
        _require(rules, "insert", f"{full_name(request.model)} does not support insert")


def _require(rules: MappingRules, capability: str, refusal: str) -> None:
    if rules.rules_out(capability):
        raise BadRequest(refusal)


def list_needed_capabilities(operation: Operation) -> list[str]:
    """Name what a model must be able to do for an operation, in Ollama's words for capabilities."""
    if isinstance(operation, RawBody):
        return ["tools"] if operation.has_tools else []
    if not isinstance(operation, GenerationRequest):
        return []
    needed = {
        "tools": bool(operation.tools),
        "thinking": bool(operation.think) and operation.requires_thinking,
        "vision": any(map(has_image, operation.turns)),
        "insert": operation.prompt is not None and bool(operation.prompt.suffix),
    }
    return [capability for capability, is_needed in needed.items() if is_needed]
