"""Ollama's messages to OpenAI's: images, tool calls, and the ids that bind results to calls. Pure.

Ollama clients may send a `tool_call_id`, only a `tool_name`, or neither; OpenAI backends want every result to
name a call of the assistant turn before it. The ids made here follow from positions, so that the same
history gives the same bytes and a backend's prompt cache stays warm.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.diagnostics import SILENT, Diagnostics
from gateway.translate.images import content_with_images
from gateway.translate.reasoning_replay import THOUGHT
from gateway.translate.system_turns import SYSTEM_ROLES
from gateway.translate.tool_results import ResultLinker
from ollama_api.ollama.types import Message, ToolCall


def to_openai(messages: Iterable[Message], diagnostics: Diagnostics = SILENT) -> list[dict[str, Any]]:
    """Translate a conversation. Thinking stays with the calls behind it, for backends that want it back."""
    messages = list(messages)
    if not any(message.tool_calls or message.role == "tool" for message in messages):
        return [_plain_message(message) for message in messages]
    linker = ResultLinker(diagnostics)
    translated: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    for turn, message in enumerate(messages):
        if message.role in SYSTEM_ROLES and linker.is_waiting:
            late.append(_plain_message(message))  # nothing may stand between calls and their results
            continue
        if message.role != "tool" or message.tool_calls:
            translated += [*linker.close_unanswered_calls(), *late]
            late = []
        translated.append(_message(turn, message, linker))
    return [*translated, *linker.close_unanswered_calls(), *late]


def _message(turn: int, message: Message, linker: ResultLinker) -> dict[str, Any]:
    if message.tool_calls:
        return _assistant_with_calls(turn, message, linker)
    return _tool_result(message, linker) if message.role == "tool" else _plain_message(message)


def _plain_message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": _content_of(message)}


def _content_of(message: Message) -> Any:
    return content_with_images(message.content, message.images) if message.images else message.content


def _assistant_with_calls(turn: int, message: Message, linker: ResultLinker) -> dict[str, Any]:
    calls = [_call(turn, place, call) for place, call in enumerate(message.tool_calls)]
    linker.ask(calls)
    content = _content_of(message)
    made = {"role": message.role, "content": content, "tool_calls": calls}
    if message.thinking:
        made[THOUGHT] = message.thinking
    return made


def _call(turn: int, place: int, call: ToolCall) -> dict[str, Any]:
    """A call as OpenAI writes it: arguments are text there."""
    arguments = bytes(call.function.arguments)
    if arguments in (b"null", b""):
        arguments = b"{}"
    function = {"name": call.function.name, "arguments": msgspec.json.format(arguments, indent=-1).decode()}
    return {"id": call.id or make_id(turn, place), "type": "function", "function": function}


def make_id(turn: int, place: int) -> str:
    """Make the id of a call that has none: nine letters and digits, which every backend accepts."""
    return f"c{turn % 100_000:05d}{place % 1000:03d}"


def _tool_result(message: Message, linker: ResultLinker) -> dict[str, Any]:
    call_id = linker.take(message.tool_call_id, message.tool_name)
    if call_id is None:
        # An id that matches nothing would be refused by the backend; the text is what the model needs.
        name = f" ({message.tool_name})" if message.tool_name else ""
        linker.diagnostics.note_changed(
            "messages", "messages", "a tool's result that answers no call: a user's turn"
        )
        text = f"Tool result{name}: {message.content}"
        return {"role": "user", "content": content_with_images(text, message.images)}
    return {
        "role": "tool",
        "tool_call_id": call_id,
        "content": _content_of(message),
    }
