"""What a chat and a generation share on their way to a backend. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from backends.routing.snapshot import MappingRules, Target
from backends.wire.dialect import Dialect
from gateway.durations import keep_alive_s
from gateway.errors import BadRequest
from gateway.translate.diagnostics import PLAIN, SILENT, Diagnostics, TranslationContext
from gateway.translate.message_normalization import ends_with_assistant, normalize_messages
from gateway.translate.options import merge_options, wire_options
from gateway.translate.reasoning_replay import replay_reasoning
from gateway.translate.response_format import Form, in_words
from gateway.translate.response_format import fields as form_fields
from gateway.translate.routing_members import NO_TOOL, client_tools
from ollama_api.ollama.types import ChatRequest, GenerateRequest

Fields = dict[str, Any]
Turn = dict[str, Any]

NEEDS_LOGPROBS = "it says nothing without logprobs"
NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
"""Keywords of a JSON schema whose members are named by who wrote it."""
ROOM_FOR_TEXT = 1024
"""Tokens left for an answer behind a budget for thinking."""
OWN_TURNS = "the mapping's system prompt and example turns"
OWN_FIELD = "this kind of backend gets it with every request"


def completion_body(
    call: ChatRequest | GenerateRequest,
    target: Target,
    rule: MappingRules,
    turns: list[Turn],
    *,
    form: Form | None = None,
    tools: Fields | None = None,
    aside: TranslationContext = PLAIN,
) -> Fields:
    """Make the body of a chat completion. Only what was said is sent; null never is.

    `form`: what the answer shall look like. `tools`: the fields about tools. Raises `BadRequest`.
    """
    dialect, notes = target.dialect, aside.notes
    if form is not None:
        turns = in_words(form, turns, dialect, notes)
    if dialect.replay:
        turns = replay_reasoning(turns, aside.recalled, dialect, notes)
    body: Fields = {
        **add_dialect_fields(dialect.body, OWN_FIELD, notes),
        "model": target.model,
        "messages": normalize_messages(turns, dialect, notes),
        **wire_options(merge_options(rule.options, call.options, rule.forced_options, notes), dialect, notes),
    }
    _merge(body, think_fields(call.think, dialect, notes))
    if call.keep_alive is not None:
        body |= keep_alive_fields(call, dialect, notes)
    if form is not None:
        body |= form_fields(form, dialect, notes)
    if call.logprobs:
        body |= {"logprobs": True} | ({"top_logprobs": call.top_logprobs} if call.top_logprobs else {})
    elif call.top_logprobs:
        notes.dropped("top_logprobs", NEEDS_LOGPROBS)
    if dialect.prefill is not None and ends_with_assistant(turns):
        body |= add_dialect_fields(dialect.prefill.body, "the model is to go on with its own turn", notes)
    if tools:
        body |= tools_fields(tools, dialect, notes)
    return fit_body(body | usage_fields(call, dialect, notes), call.think, dialect, notes)


def _merge(body: Fields, fields: Fields) -> None:
    """Put fields in; where both hold an object, its members."""
    for name, value in fields.items():
        before = body.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            value = {**before, **value}
        body[name] = value


def add_dialect_fields(fields: Fields, why: str, notes: Diagnostics) -> Fields:
    """Give fields that no client said."""
    for name in fields:
        notes.added(name, why)
    return fields


def fit_body(body: Fields, think: Any, dialect: Dialect, notes: Diagnostics) -> Fields:
    """Take out and bring back to the edge what this kind of backend, or this model of it, refuses."""
    if dialect.drops:
        _drop(body, dialect.drops, dialect, "this model or kind of backend refuses it", notes)
    if dialect.drops_thinking and thinks(think, dialect):
        _drop(body, dialect.drops_thinking, dialect, "this model refuses it while it thinks", notes)
    for name, (least, most) in dialect.ranges.items():
        value = body.get(name)
        if isinstance(value, int | float) and not least <= value <= most:
            body[name] = min(max(value, least), most)
            notes.changed(name_as_client(name, dialect), name, f"{value} is outside of {least} to {most}")
    _raise_limit(body, _least_limit(body, think, dialect), dialect, notes)
    return body


def _raise_limit(body: Fields, least: int, dialect: Dialect, notes: Diagnostics) -> None:
    """Leave room for an answer behind what the model thinks, where both count against one limit."""
    limit, why = body.get(dialect.max_tokens), "it counts what the model thinks, too"
    if limit is not None and limit < least:
        notes.changed("options.num_predict", dialect.max_tokens, f"raised: {why}")
    elif limit is None and _budget(body):
        notes.added(dialect.max_tokens, why)
    else:
        return
    body[dialect.max_tokens] = least


def _least_limit(body: Fields, think: Any, dialect: Dialect) -> int:
    """Give the least limit; 0: any is fine."""
    budget = _budget(body)
    if budget:
        return budget + max(ROOM_FOR_TEXT, body.get(dialect.max_tokens) or 0)
    is_off = think is False and dialect.thinks_unasked
    return 0 if is_off else dialect.least_tokens


def _budget(body: Fields) -> int:
    """Read how many tokens may be spent on thinking, where that is said; else 0."""
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return budget if isinstance(budget, int) else 0


def _drop(body: Fields, names: Iterable[str], dialect: Dialect, why: str, notes: Diagnostics) -> None:
    for name in names:
        if name in body:
            del body[name]
            notes.dropped(name_as_client(name, dialect), why)


def name_as_client(wire_name: str, dialect: Dialect) -> str:
    """Name a member of the body as the client named it."""
    options = (option for option, wire in dialect.options.items() if wire == wire_name)
    return next((f"options.{option}" for option in options), wire_name)


def tools_fields(tools: Fields, dialect: Dialect, notes: Diagnostics = SILENT) -> Fields:
    """Give the fields about tools as this kind of backend takes them."""
    given = client_tools(tools["tools"], dialect, notes)
    if not given:
        for name in tools:
            notes.dropped(name, NO_TOOL)
        return {}
    tools, choice = {**tools, "tools": given}, tools.get("tool_choice")
    if isinstance(choice, str) and choice in dialect.tool_choices:
        tools = {**tools, "tool_choice": dialect.tool_choices[choice]}
        notes.changed("tool_choice", "tool_choice", "another word for it here")
    if dialect.schema_drops:
        unwanted = frozenset(dialect.schema_drops)
        cleaned = _without(tools["tools"], unwanted)
        if cleaned != tools["tools"]:
            notes.changed("tools", "tools", f"schemas without {', '.join(dialect.schema_drops)}")
            tools = {**tools, "tools": cleaned}
    return tools


def _without(value: Any, names: frozenset[str]) -> Any:
    """Take keywords out at every level; the depth is bounded, since the request was decoded."""
    if isinstance(value, dict):
        return {
            name: _without_in_each(member, names) if name in NAMED_SCHEMAS else _without(member, names)
            for name, member in value.items()
            if name not in names
        }
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def _without_in_each(schemas: Any, names: frozenset[str]) -> Any:
    """Keep the names of properties, which may be called as keywords are."""
    if not isinstance(schemas, dict):
        return _without(schemas, names)
    return {name: _without(schema, names) for name, schema in schemas.items()}


def thinks(think: Any, dialect: Dialect) -> bool:
    """Say whether the model will think: as asked, or as it does unasked; what cannot be switched off does."""
    if think is None:
        return dialect.thinks_unasked
    return bool(think) or (dialect.think.off is None and dialect.thinks_unasked)


def usage_fields(
    call: ChatRequest | GenerateRequest, dialect: Dialect, notes: Diagnostics = SILENT
) -> Fields:
    """Ask for a stream, and for its token counts where a server has to be asked."""
    if not call.stream:
        return {}
    if not dialect.asks_for_usage:
        return {"stream": True}
    notes.added("stream_options", "the tokens of a stream are counted only when asked for")
    return {"stream": True, "stream_options": {"include_usage": True}}


def keep_alive_fields(
    call: ChatRequest | GenerateRequest, dialect: Dialect, notes: Diagnostics = SILENT
) -> Fields:
    """Say how long the model is to stay loaded, to a server that takes a time; "for ever" is none."""
    seconds = keep_alive_s(call.keep_alive) if dialect.keep_alive else None
    if seconds is None:
        return {}
    if math.isinf(seconds):
        notes.dropped("keep_alive", "only a time can be said there, and for ever is none")
        return {}
    notes.mapped("keep_alive", dialect.keep_alive)
    return {dialect.keep_alive: max(1, math.ceil(seconds))}


def list_needed(**needed: Any) -> tuple[str, ...]:
    """Name the abilities that are needed: `named(tools=call.tools, thinking=call.think)`."""
    return tuple(ability for ability, is_needed in needed.items() if is_needed)


def require_capabilities(call: ChatRequest | GenerateRequest, rule: MappingRules, verb: str) -> None:
    """Hold a call against what is known for sure of the model. Raises `BadRequest` in Ollama's words."""
    require(rule, "completion", f'"{call.model}" does not support {verb}')
    if call.think:
        require(rule, "thinking", f'"{call.model}" does not support thinking')


def require(rule: MappingRules, capability: str, refusal: str) -> None:
    """Refuse only on the operator's word or a probe's: capabilities that are guessed refuse nothing."""
    if rule.rules_out(capability):
        raise BadRequest(refusal)


def think_fields(think: Any, dialect: Dialect, notes: Diagnostics = SILENT) -> Fields:
    """Give the dialect's switch for `think`. Absent says nothing: the backend's own default holds."""
    style = dialect.think
    if think is None:
        return {}
    found = style.off if think is False else style.levels.get(think) if isinstance(think, str) else style.on
    if found is None:
        notes.dropped("think", "this kind of backend has no switch for it")
        return {}
    notes.mapped("think", ", ".join(found) or "its own default")
    return found
