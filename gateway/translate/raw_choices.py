"""Choices of chat completions that pass, written anew where they are not what came. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.openai_types import Choice, Delta, ToolCallDelta
from gateway.raw_forms import Fields, encode_raw

OBJECTS = {True: msgspec.Raw(b'"chat.completion"'), False: msgspec.Raw(b'"chat.completion.chunk"')}


def rewrite_choice(choice: Choice) -> Fields:
    """Give the members of a chunk, or of a whole answer, that tell its one choice."""
    is_whole = choice.message is not None
    told: dict[str, Any] = {"index": 0}
    told["message" if is_whole else "delta"] = _message(choice.message or choice.delta or Delta(), is_whole)
    if choice.logprobs is not None and choice.logprobs.content:
        told["logprobs"] = {"content": choice.logprobs.content}
    told["finish_reason"] = choice.finish_reason
    return {"object": OBJECTS[is_whole], "choices": encode_raw([told])}


def _message(delta: Delta, is_whole: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"role": "assistant"} if is_whole else {}
    if is_whole or delta.content:
        told["content"] = delta.content or None
    if delta.reasoning_content:
        told["reasoning_content"] = delta.reasoning_content
    if delta.tool_calls:
        told["tool_calls"] = [_call(call, is_whole) for call in delta.tool_calls]
    return told


def _call(call: ToolCallDelta, is_whole: bool) -> dict[str, Any]:
    """Write a call, or a fragment of one, with what it says."""
    function = call.function
    told: dict[str, Any] = {} if is_whole or call.index is None else {"index": call.index}
    if call.id is not None:
        told |= {"id": call.id, "type": "function"}
    if call.extra_content is not None:
        told["extra_content"] = call.extra_content
    if function is not None:
        named = {"name": function.name, "arguments": function.arguments}
        told["function"] = {name: value for name, value in named.items() if value is not None}
    return told
