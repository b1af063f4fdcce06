"""The OpenAI face's requests: they pass through with the mapping's rules applied and nothing lost. Pure.

Only the members that the rules touch are decoded; every other one, known here or not, travels as the bytes
that it came as. `openai_answers` is the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.dialect import Dialect
from core.model_names import full_name
from gateway import counts
from gateway.errors import BadRequest, Failure, RequestError
from gateway.translate.chat_completions import OWN_TURNS, fit_body, require
from gateway.translate.diagnostics import PLAIN, SILENT, Diagnostics, TranslationContext
from gateway.translate.options import check_options, wire_options
from gateway.translate.routing_members import without_routing
from ollama_api.ollama import go_json

Fields = dict[str, msgspec.Raw]

NULL = msgspec.Raw(b"null")
NOTHING = (b"null", b"[]")
LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
"""Two names of one option: whichever is said, it replaces the other."""
GO_TYPES: dict[Any, str] = {
    str: "string",
    bool: "bool",
    dict[str, Any]: "openai.StreamOptions",
    list[msgspec.Raw]: "[]openai.Message",
}
# What Ollama reads on these routes, or we do: Go takes it in any case.
KNOWN = frozenset(
    [
        "model",
        "messages",
        "prompt",
        "suffix",
        "input",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "seed",
        "stop",
        "frequency_penalty",
        "presence_penalty",
        "response_format",
        "tools",
        "tool_choice",
        "reasoning",
        "reasoning_effort",
        "logprobs",
        "top_logprobs",
        "n",
        "dimensions",
        "encoding_format",
    ]
)
ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}

fields_decoder = msgspec.json.Decoder(Fields)


class OpenAICall(msgspec.Struct):
    """A request body, taken apart at its top level only."""

    keep_alive: ClassVar[None] = None
    options: ClassVar[dict[str, Any]] = {}

    model: str
    stream: bool
    stream_options: dict[str, Any]
    fields: Fields

    @property
    def wants_usage(self) -> bool:
        """Whether the client asked for the chunk with the token counts."""
        return self.stream_options.get("include_usage") is True


class Turn(msgspec.Struct):
    """What we look at of a message."""

    role: str = ""


_turn = msgspec.json.Decoder(Turn)


def no_model() -> RequestError:
    """Say that a model has to be named."""
    return BadRequest("model is required")


def parse(body: bytes, without_model: Callable[[], RequestError] = no_model) -> OpenAICall:
    """Take a body apart. Raises `BadRequest` with the texts of Ollama's OpenAI routes, or `without_model`."""
    fields = _read(body)
    if not "".join(fields).islower():
        fields = go_json.fold_keys(fields, KNOWN)
    model = _decode_field(fields, "model", str, "")
    if not model:
        raise without_model()
    return OpenAICall(
        model,
        _decode_field(fields, "stream", bool, False),
        _decode_field(fields, "stream_options", dict[str, Any], {}),
        fields,
    )


def parse_chat(body: bytes) -> OpenAICall:
    """Take the body of a chat apart, which needs messages."""
    call = parse(body)
    messages = _messages(call)
    counts.check("messages", counts.MOST_TURNS, len(messages), counts.as_openai)
    if not messages:
        raise BadRequest("[] is too short - 'messages'")
    return call


def check_chat(call: OpenAICall, rule: MappingRules) -> None:
    """Refuse what the operator says that the model cannot. Raises `BadRequest`."""
    require(rule, "completion", f'"{call.model}" does not support chat')
    if needs(call):
        require(rule, "tools", f"{full_name(call.model)} does not support tools")


def needs(call: OpenAICall) -> tuple[str, ...]:
    """Name what the model must be able to do, as far as the top level tells."""
    return ("tools",) if bytes(call.fields.get("tools", NULL)) not in NOTHING else ()


def check_completion(call: OpenAICall, rule: MappingRules) -> None:
    """Refuse what the operator says that the model cannot. Raises `BadRequest`."""
    require(rule, "completion", f'"{call.model}" does not support generate')


def _read(body: bytes) -> Fields:
    """Take the fast path unless text inside could not leave as UTF-8, which raw members do not show."""
    try:
        if not body.isascii():
            body.decode()
        return fields_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lax_fields(body)


def _lax_fields(body: bytes) -> Fields:
    if not body.strip():
        raise BadRequest("EOF")  # so Ollama words it on these routes
    value = go_json.first_value(body)
    if value is not None and not isinstance(value, dict):
        raise BadRequest("the request body must be a JSON object")
    try:
        return raws(value or {})
    except RecursionError:
        raise BadRequest(go_json.TOO_DEEP) from None


def _decode_field(fields: Fields, name: str, kind: Any, default: Any) -> Any:
    raw = fields.get(name, NULL)
    if raw == NULL:
        return default
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        raise BadRequest(go_json.misfit(go_json.first_value(bytes(raw)), name, GO_TYPES[kind])) from None
    except RecursionError:
        raise BadRequest(go_json.TOO_DEEP) from None


def _messages(call: OpenAICall) -> list[msgspec.Raw]:
    found: list[msgspec.Raw] = _decode_field(call.fields, "messages", list[msgspec.Raw], [])
    return found


def chat_body(
    call: OpenAICall, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> Fields:
    """Make the backend's body of a chat: model, options, system prompt and example turns by the rules."""
    fields = completion_body(call, target, rule, aside)
    if rule.system or rule.messages:
        aside.notes.added("messages", OWN_TURNS)
        fields["messages"] = raw(_with_turns(_messages(call), rule))
    return fields


def completion_body(
    call: OpenAICall, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> Fields:
    """Make the backend's body of a completion. The tokens of a stream are counted whoever wants to know."""
    fields = body(call, target, rule, aside)
    if call.stream and target.dialect.asks_for_usage and not call.wants_usage:
        aside.notes.added("stream_options", "the tokens of a stream are counted whoever wants to know")
        fields["stream_options"] = raw({**call.stream_options, "include_usage": True})
    return fields


def embeddings_body(
    call: OpenAICall, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> Fields:
    """Make the backend's body of an embedding, which none of the mapping's rules is about."""
    return with_model(call, target, aside.notes)


def with_model(call: OpenAICall, target: Target, notes: Diagnostics = SILENT) -> Fields:
    """Put the backend's name of the model in; no other member of the client's says what answers."""
    return {**without_routing(call.fields, target.dialect, notes), "model": raw(target.model)}


def body(call: OpenAICall, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN) -> Fields:
    """Make the backend's body: the mapping's options, and the backend's name of the model."""
    fields = with_model(call, target, aside.notes)
    return with_options(fields, rule, target.dialect, aside.notes) | {"model": raw(target.model)}


def with_options(fields: Fields, rule: MappingRules, names: Dialect, notes: Diagnostics = SILENT) -> Fields:
    """Lay the mapping's defaults under what the client said, and what the mapping forces over it."""
    defaults = _build_option_fields(rule.options, names, notes)
    forced = _build_option_fields(rule.forced_options, names, notes)
    given = dict(fields)
    if forced.keys() & LIMITS:
        given = {name: value for name, value in given.items() if name not in LIMITS}
    said = {name for name, value in given.items() if value != NULL}
    if said & LIMITS:
        said |= LIMITS
    defaults = {name: value for name, value in defaults.items() if name not in said}
    for name in fields.keys() - given.keys() | (forced.keys() & said):
        notes.changed(name, name if name in forced else names.max_tokens, "the mapping forces another value")
    for name in [*defaults, *(forced.keys() - said)]:
        notes.added(name, "an option of the mapping")
    return {**given, **defaults, **forced}


def _build_option_fields(options: dict[str, Any], names: Dialect, notes: Diagnostics) -> Fields:
    """Give options of the mapping as this kind of backend takes them: no client said them."""
    return raws(fit_body(wire_options(check_options(options), names), None, names, notes)) if options else {}


def _with_turns(messages: list[msgspec.Raw], rule: MappingRules) -> list[Any]:
    """Put the mapping's turns first; its system prompt only where the client brings none."""
    brings_system = _role_of(messages[0]) in ("system", "developer")
    system = [{"role": "system", "content": rule.system}] if rule.system and not brings_system else []
    return [*system, *rule.messages, *messages]


def _role_of(message: msgspec.Raw) -> str:
    """Find who speaks. A message that is none is the backend's to refuse."""
    try:
        return _turn.decode(message).role
    except (msgspec.DecodeError, RecursionError):
        return ""


def check_embeddings(call: OpenAICall) -> None:
    """Check what Ollama checks, and never stream. Raises `BadRequest`."""
    call.stream = False
    said = _decode_field(call.fields, "encoding_format", str, "float")
    encoding = said.lower() or "float"  # Ollama takes it in any case, and an empty one as absent
    if encoding not in ("float", "base64"):
        raise BadRequest(
            f"Invalid value for 'encoding_format' = {said}. Supported values: ['float', 'base64']."
        )
    if encoding != said:
        call.fields["encoding_format"] = raw(encoding)
    if bytes(call.fields.get("input", NULL)) in NOTHING:
        raise BadRequest("invalid input")


def error_body(failure: Failure, request_id: str) -> dict[str, Any]:
    """Write a failure in OpenAI's shape, with the backend's own words for programs.

    Source: Ollama `openai/openai.go:NewError`, which has none.
    """
    kind = ERROR_TYPES.get(failure.status, "api_error")
    return {"error": {"message": failure.message, "type": kind, "param": failure.param, "code": failure.code}}


def raws(fields: dict[str, Any]) -> Fields:
    """Write the members of an object."""
    return {name: raw(value) for name, value in fields.items()}


def raw(value: Any) -> msgspec.Raw:
    """Write a value."""
    return msgspec.Raw(msgspec.json.encode(value))
