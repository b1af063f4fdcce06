"""What a chat and a generation share on their way to a backend. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.routing.names import DEFAULT_TAG
from backends.routing.snapshot import Rule, Target
from backends.wire.dialect import Dialect
from ollama_api.errors import BadRequest
from ollama_api.translate.options import merged, wire_options
from ollama_api.types import ChatRequest, GenerateRequest

ANY_OBJECT = {"type": "object"}


def completion_body(
    call: ChatRequest | GenerateRequest, target: Target, rule: Rule, messages: list[dict[str, Any]]
) -> dict[str, Any]:
    """Make the body of a chat completion. Only what was said is sent; null never is."""
    dialect = target.dialect
    body: dict[str, Any] = {**dialect.body, "model": target.model, "messages": messages}
    body |= wire_options(merged(rule.options, call.options, rule.forced_options), dialect)
    body |= think_fields(call.think, dialect)
    if call.format:
        body |= response_format(call.format, dialect)
    if call.logprobs:
        body |= {"logprobs": True} | ({"top_logprobs": call.top_logprobs} if call.top_logprobs else {})
    return body | usage_fields(call, dialect)


def usage_fields(call: ChatRequest | GenerateRequest, dialect: Dialect) -> dict[str, Any]:
    """Ask for a stream, and for its token counts where a server has to be asked."""
    if not call.stream:
        return {}
    counted = {"stream_options": {"include_usage": True}} if dialect.asks_for_usage else {}
    return {"stream": True} | counted


def require_capabilities(call: ChatRequest | GenerateRequest, rule: Rule, verb: str) -> None:
    """Hold a call against what is known for sure of the model. Raises `BadRequest` in Ollama's words."""
    require(rule, "completion", f'"{call.model}" does not support {verb}')
    if call.think:
        require(rule, "thinking", f'"{call.model}" does not support thinking')


def require(rule: Rule, capability: str, refusal: str) -> None:
    """Refuse only on the operator's word or a probe's: capabilities that are guessed refuse nothing."""
    if rule.rules_out(capability):
        raise BadRequest(refusal)


def full_name(model: str) -> str:
    """Write a name as Ollama does in some of its errors."""
    return f"registry.ollama.ai/library/{model if ':' in model else model + DEFAULT_TAG}"


def think_fields(think: Any, dialect: Dialect) -> dict[str, Any]:
    """Give the dialect's switch for `think`. Absent says nothing: the backend's own default holds."""
    style = dialect.think
    if think is None:
        return {}
    if think is False:
        return style.off or {}
    return (style.levels.get(think) if isinstance(think, str) else style.on) or {}


def response_format(raw: msgspec.Raw, dialect: Dialect) -> dict[str, Any]:
    """Translate `format`: the word json, or a JSON schema.

    Raises:
        BadRequest: it is neither. (Ollama says the same with status 500.)
    """
    wanted = msgspec.json.decode(raw)
    if wanted is None or wanted == "":
        return {}
    if wanted == "json" and dialect.format != "schema":
        return {"response_format": {"type": "json_object"}}
    schema = ANY_OBJECT if wanted == "json" else wanted
    if not isinstance(schema, dict):
        shown = msgspec.json.encode(bytes(raw).decode()).decode()
        raise BadRequest(f'invalid format: {shown}; expected "json" or a valid JSON Schema object')
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": schema}}}
