"""Choices of chat completions that pass, written anew where they are not what came. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.finish_reasons import openai_reason
from backends.wire.openai_types import Choice, Delta, ToolCallDelta
from gateway.raw_forms import Fields, encode_raw
from gateway.translate.tool_calls import Calls

OBJECTS = {True: msgspec.Raw(b'"chat.completion"'), False: msgspec.Raw(b'"chat.completion.chunk"')}


def rewrite_choice(choice: Choice) -> Fields:
    """Give the members of a chunk, or of a whole answer, that tell its one choice."""
    is_whole = choice.message is not None
    return {"object": OBJECTS[is_whole], "choices": encode_raw([write_choice(choice)])}


def write_choice(choice: Choice) -> dict[str, Any]:
    """Write a choice as it is read: a message, a delta, or text."""
    is_whole = choice.message is not None
    written: dict[str, Any] = {"index": choice.index or 0}
    if choice.text is not None:
        written["text"] = choice.text
    else:
        name = "message" if is_whole else "delta"
        written[name] = _message(choice.message or choice.delta or Delta(), is_whole)
    if choice.logprobs is not None and choice.logprobs.content:
        written["logprobs"] = {"content": choice.logprobs.content}
    reason = choice.finish_reason
    written["finish_reason"] = openai_reason(reason) if reason else None
    return written


def _message(delta: Delta, is_whole: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"} if is_whole else {}
    if is_whole or delta.content:
        message["content"] = delta.content or None
    if delta.reasoning_content:
        message["reasoning_content"] = delta.reasoning_content
    if delta.tool_calls and is_whole:
        message["tool_calls"] = _whole_calls(delta.tool_calls)
    elif delta.tool_calls:
        message["tool_calls"] = [_fragment(call) for call in delta.tool_calls]
    return message


def _whole_calls(fragments: list[ToolCallDelta]) -> list[dict[str, Any]]:
    """Write calls of which each fragment is one or a piece of one. What broke off is left out."""
    calls = Calls()
    for fragment in fragments:
        calls.add(fragment)
    whole_calls: list[dict[str, Any]] = []
    for call, extra in zip(calls.whole(0, is_cut=True), calls.extras(), strict=True):
        function = {"name": call.function.name, "arguments": bytes(call.function.arguments).decode()}
        more = {"extra_content": extra} if extra is not None else {}
        whole_calls.append({"id": call.id, "type": "function", "function": function, **more})
    return whole_calls


def _fragment(call: ToolCallDelta) -> dict[str, Any]:
    """Write a fragment of a call with what it says."""
    function = call.function
    fragment: dict[str, Any] = {} if call.index is None else {"index": call.index}
    if call.id is not None:
        fragment |= {"id": call.id, "type": "function"}
    if call.extra_content is not None:
        fragment["extra_content"] = call.extra_content
    if function is not None:
        named = {"name": function.name, "arguments": function.arguments}
        fragment["function"] = {name: value for name, value in named.items() if value is not None}
    return fragment
