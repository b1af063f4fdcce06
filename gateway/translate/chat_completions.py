"""A neutral request to the body of a chat completion, as each kind of backend takes it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from backends.routing.snapshot import Target
from backends.wire.dialect import Dialect
from gateway.diagnostics import PLAIN, SILENT, Diagnostics, TranslationContext
from gateway.durations import keep_alive_s
from gateway.generation import GenerationRequest
from gateway.translate.files import name_images
from gateway.translate.message_normalization import ends_with_assistant, normalize_messages
from gateway.translate.options import wire_options
from gateway.translate.reasoning_replay import THOUGHT, drop_unwanted_reasoning, replay_reasoning
from gateway.translate.response_format import ask_in_words, build_fields
from gateway.translate.routing_members import NO_TOOL, client_tools
from gateway.translate.schema_grammar import fit_tools
from gateway.translate.tools import COMPLETED, complete_tools

Fields = dict[str, Any]
Turn = dict[str, Any]

NEEDS_LOGPROBS = "it says nothing without logprobs"
ROOM_FOR_TEXT = 1024
"""Tokens left for an answer behind a budget for thinking."""
FOREIGN_CONTEXT = "tokens of an Ollama: only that can go on from them"
OWN_FIELD = "this kind of backend gets it with every request"


def build_chat(request: GenerationRequest, target: Target, context: TranslationContext = PLAIN) -> Fields:
    """Make the body of a chat completion. Only what was said is sent; null never is. Raises `BadRequest`."""
    dialect, diagnostics = target.dialect, context.diagnostics
    if diagnostics is not SILENT:
        diagnostics.extend(request.turn_notes)
    if request.prompt is not None and request.prompt.context:
        diagnostics.note_dropped("context", FOREIGN_CONTEXT)
    turns = _build_turns(request, dialect, context)
    if not (dialect.accepts_images or request.requires_images):
        turns = name_images(turns, diagnostics)
    body: Fields = {
        **add_dialect_fields(dialect.body, OWN_FIELD, diagnostics),
        "model": target.model,
        "messages": normalize_messages(turns, dialect, diagnostics),
        **(wire_options(request.options, dialect, diagnostics) if request.options else {}),
    }
    _merge(body, think_fields(request.think, dialect, diagnostics))
    if request.keep_alive is not None:
        body |= keep_alive_fields(request.keep_alive, dialect, diagnostics)
    if request.response_format is not None:
        body |= build_fields(request.response_format, dialect, diagnostics)
    if request.logprobs:
        body |= {"logprobs": True} | ({"top_logprobs": request.top_logprobs} if request.top_logprobs else {})
    elif request.top_logprobs:
        diagnostics.note_dropped("top_logprobs", NEEDS_LOGPROBS)
    if dialect.prefill is not None and ends_with_assistant(turns):
        body |= add_dialect_fields(
            dialect.prefill.body, "the model is to go on with its own turn", diagnostics
        )
    if request.tools:
        body |= tools_fields({"tools": request.tools, **request.tool_fields}, dialect, diagnostics)
    return fit_body(body | usage_fields(request, dialect, diagnostics), request.think, dialect, diagnostics)


def _build_turns(request: GenerationRequest, dialect: Dialect, context: TranslationContext) -> list[Turn]:
    """Give the conversation with what this kind of backend wants in it beside the conversation."""
    diagnostics = context.diagnostics
    turns = drop_unwanted_reasoning(request.turns, dialect)
    if THOUGHT in dialect.replay_fields:
        _note_thinking(request, diagnostics)
    if request.response_format is not None:
        turns = ask_in_words(request.response_format, turns, dialect, diagnostics)
    return replay_reasoning(turns, context.recalled, dialect, diagnostics) if dialect.replay_fields else turns


def _note_thinking(request: GenerationRequest, diagnostics: Diagnostics) -> None:
    """Say that the thinking in Ollama's messages goes along with the calls behind it."""
    for place, message in enumerate(getattr(request.private, "messages", ())):
        if message.thinking and message.tool_calls:
            diagnostics.note_mapped(f"messages[{place}].thinking", "messages")


def _merge(body: Fields, fields: Fields) -> None:
    """Put fields in; where both hold an object, its members."""
    for name, value in fields.items():
        before = body.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            value = {**before, **value}
        body[name] = value


def add_dialect_fields(fields: Fields, why: str, diagnostics: Diagnostics) -> Fields:
    """Give fields that no client said."""
    for name in fields:
        diagnostics.note_added(name, why)
    return fields


def fit_body(body: Fields, think: Any, dialect: Dialect, diagnostics: Diagnostics) -> Fields:
    """Take out and bring back to the edge what this kind of backend, or this model of it, refuses."""
    if dialect.drop_params:
        _drop(body, dialect.drop_params, dialect, "this model or kind of backend refuses it", diagnostics)
    if dialect.drop_params_when_reasoning and thinks(think, dialect):
        _drop(
            body,
            dialect.drop_params_when_reasoning,
            dialect,
            "this model refuses it while it thinks",
            diagnostics,
        )
    for name, (least, most) in dialect.param_ranges.items():
        value = body.get(name)
        if isinstance(value, int | float) and not least <= value <= most:
            body[name] = min(max(value, least), most)
            diagnostics.note_changed(
                name_as_client(name, dialect), name, f"{value} is outside of {least} to {most}"
            )
    _raise_limit(body, _least_limit(body, think, dialect), dialect, diagnostics)
    return body


def _raise_limit(body: Fields, least: int, dialect: Dialect, diagnostics: Diagnostics) -> None:
    """Leave room for an answer behind what the model thinks, where both count against one limit."""
    limit, why = body.get(dialect.max_tokens), "it counts what the model thinks, too"
    if limit is not None and limit < least:
        diagnostics.note_changed("options.num_predict", dialect.max_tokens, f"raised: {why}")
    elif limit is None and _budget(body):
        diagnostics.note_added(dialect.max_tokens, why)
    else:
        return
    body[dialect.max_tokens] = least


def _least_limit(body: Fields, think: Any, dialect: Dialect) -> int:
    """Give the least limit; 0: any is fine."""
    budget = _budget(body)
    if budget:
        return budget + max(ROOM_FOR_TEXT, body.get(dialect.max_tokens) or 0)
    is_off = think is False and dialect.reasons_by_default
    return 0 if is_off else dialect.max_tokens_minimum


def _budget(body: Fields) -> int:
    """Read how many tokens may be spent on thinking, where that is said; else 0."""
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return budget if isinstance(budget, int) else 0


def _drop(body: Fields, names: Iterable[str], dialect: Dialect, why: str, diagnostics: Diagnostics) -> None:
    for name in names:
        if name in body:
            del body[name]
            diagnostics.note_dropped(name_as_client(name, dialect), why)


def name_as_client(wire_name: str, dialect: Dialect) -> str:
    """Name a member of the body as the client named it."""
    options = (option for option, wire in dialect.options.items() if wire == wire_name)
    return next((f"options.{option}" for option in options), wire_name)


def tools_fields(tools: Fields, dialect: Dialect, diagnostics: Diagnostics = SILENT) -> Fields:
    """Give the fields about tools as this kind of backend takes them."""
    given = client_tools(tools["tools"], dialect, diagnostics)
    if not given:
        for name in tools:
            diagnostics.note_dropped(name, NO_TOOL)
        return {}
    tools, choice = {**tools, "tools": given}, tools.get("tool_choice")
    if isinstance(choice, str) and choice in dialect.tool_choices:
        tools = {**tools, "tool_choice": dialect.tool_choices[choice]}
        diagnostics.note_changed("tool_choice", "tool_choice", "another word for it here")
    completed = complete_tools(tools["tools"])
    if completed is not tools["tools"]:
        diagnostics.note_changed("tools", "tools", COMPLETED)
        tools = {**tools, "tools": completed}
    fitted = fit_tools(completed, dialect, diagnostics)
    return tools if fitted is tools["tools"] else {**tools, "tools": fitted}


def thinks(think: Any, dialect: Dialect) -> bool:
    """Say whether the model will think: as asked, or as it does unasked; what cannot be switched off does."""
    if think is None:
        return dialect.reasons_by_default
    return bool(think) or (dialect.think.off is None and dialect.reasons_by_default)


def usage_fields(request: GenerationRequest, dialect: Dialect, diagnostics: Diagnostics = SILENT) -> Fields:
    """Ask for a stream, and for its token counts where a server has to be asked."""
    if not request.stream:
        return {}
    if not dialect.accepts_stream_options:
        return {"stream": True}
    diagnostics.note_added("stream_options", "the tokens of a stream are counted only when asked for")
    return {"stream": True, "stream_options": {"include_usage": True}}


def keep_alive_fields(keep_alive: Any, dialect: Dialect, diagnostics: Diagnostics = SILENT) -> Fields:
    """Say how long the model is to stay loaded, to a server that takes a time; "for ever" is none."""
    seconds = keep_alive_s(keep_alive) if dialect.keep_alive else None
    if seconds is None:
        return {}
    if math.isinf(seconds):
        diagnostics.note_dropped("keep_alive", "only a time can be said there, and for ever is none")
        return {}
    diagnostics.note_mapped("keep_alive", dialect.keep_alive)
    return {dialect.keep_alive: max(1, math.ceil(seconds))}


def think_fields(think: Any, dialect: Dialect, diagnostics: Diagnostics = SILENT) -> Fields:
    """Give the dialect's switch for `think`. Absent says nothing: the backend's own default holds."""
    style = dialect.think
    if think is None:
        return {}
    found = style.off if think is False else style.levels.get(think) if isinstance(think, str) else style.on
    if found is None:
        diagnostics.note_dropped("think", "this kind of backend has no switch for it")
        return {}
    diagnostics.note_mapped("think", ", ".join(found) or "its own default")
    return found
