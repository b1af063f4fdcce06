"""/api/chat and chat completions, both ways. Pure: times come in as arguments."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.openai_types import Reply
from core.model_names import full_name
from gateway.translate.assembly import Assembly, Piece, read_whole
from gateway.translate.chat_completions import (
    OWN_TURNS,
    completion_body,
    list_needed,
    require,
    require_capabilities,
)
from gateway.translate.diagnostics import PLAIN, Diagnostics, TranslationContext
from gateway.translate.message_normalization import take_echo
from gateway.translate.response_format import of_format
from gateway.translate.token_usage import Timings, measure
from ollama_api.json_encoding import rfc3339, to_json
from ollama_api.ollama import messages
from ollama_api.ollama.stream import StreamTranslator
from ollama_api.ollama.types import ChatReply, ChatRequest, Message, Metrics, ReplyMessage, ReplyToolCall

PATH = "/chat/completions"
ANY_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


def check(call: ChatRequest, rule: MappingRules) -> None:
    """Refuse what the operator says that the model cannot. Raises `BadRequest`."""
    require_capabilities(call, rule, "chat")
    if call.tools:
        require(rule, "tools", f"{full_name(call.model)} does not support tools")


def needs(call: ChatRequest) -> tuple[str, ...]:
    """Name what the model must be able to do."""
    return list_needed(
        tools=call.tools, thinking=call.think, vision=any(message.images for message in call.messages)
    )


def to_upstream(
    call: ChatRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the backend's request body."""
    turns = (
        [*(Message(role=turn["role"], content=turn["content"]) for turn in rule.messages), *call.messages]
        if rule.messages
        else call.messages
    )
    brings_system = bool(call.messages) and call.messages[0].role == "system"
    system = "" if brings_system else rule.system
    if system or rule.messages:
        aside.notes.added("messages", OWN_TURNS)
    with_thinking = "reasoning_content" in target.dialect.replay
    if with_thinking:
        _note_thinking(call, aside)
    return completion_body(
        call,
        target,
        rule,
        messages.to_openai(turns, system, with_thinking=with_thinking, notes=aside.notes),
        form=of_format(call.format),
        tools=_tools(call.tools, aside.notes) if call.tools else None,
        aside=aside,
    )


def _note_thinking(call: ChatRequest, aside: TranslationContext) -> None:
    for place, message in enumerate(call.messages):
        if message.thinking and message.tool_calls:
            aside.notes.mapped(f"messages[{place}].thinking", "messages")


def from_upstream(
    call: ChatRequest, reply: Reply, timings: Timings, now_ns: int
) -> tuple[ChatReply, Metrics]:
    """Translate a whole answer. Raises `AnswerUnusable`; `BadRequest` where a filter kept it back whole."""
    assembly, piece = read_whole(reply, shows_thinking=call.think is not False)
    metrics = measure(assembly.usage, assembly.timings, timings)
    whole = ChatReply(
        model=call.model,
        created_at=rfc3339(now_ns),
        message=_message(piece, assembly.tool_calls(now_ns)),
        done=True,
        done_reason=assembly.done_reason(),
        logprobs=piece.logprobs or [],
        **msgspec.structs.asdict(metrics),
    )
    return whole, metrics


def without_echo(call: ChatRequest, target: Target, reply: Reply) -> None:
    """Take the turn that an answer goes on with out of its beginning: Ollama does not repeat it."""
    last = call.messages[-1]
    if last.role == "assistant":
        take_echo(last.content, target, reply)


def empty_reply(call: ChatRequest, reason: str, now_ns: int) -> ChatReply:
    """Answer a load or an unload: no text, no figures."""
    return ChatReply(
        model=call.model,
        created_at=rfc3339(now_ns),
        message=ReplyMessage("assistant", ""),
        done=True,
        done_reason=reason,
    )


def stream(call: ChatRequest) -> StreamTranslator:
    """Begin to translate a streamed answer: text at once, tool calls whole, one final line."""
    return StreamTranslator(_ChatLines(call.model), shows_thinking=call.think is not False)


class _ChatLines:
    """How a chat's lines look."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._head = b'{"model":' + to_json(model) + b',"created_at":"'

    def line(self, piece: Piece, now_ns: int) -> bytes:
        """Write a `done:false` line; the usual one, text alone, without the detour over a struct."""
        if piece.thinking or piece.logprobs:
            return self._encoded(now_ns, _message(piece, ()), done=False, logprobs=piece.logprobs or [])
        return b'%b%b","message":{"role":"assistant","content":%b},"done":false}\n' % (
            self._head,
            rfc3339(now_ns).encode(),
            to_json(piece.content),
        )

    def last(self, assembly: Assembly, metrics: Metrics, now_ns: int) -> bytes:
        """Write the gathered tool calls in a line of their own, then the final line."""
        calls = assembly.tool_calls(now_ns)
        said = (
            self._encoded(now_ns, ReplyMessage("assistant", "", tool_calls=calls), done=False)
            if calls
            else b""
        )
        return said + self._encoded(
            now_ns,
            ReplyMessage("assistant", ""),
            done=True,
            done_reason=assembly.done_reason(),
            **msgspec.structs.asdict(metrics),
        )

    def _encoded(self, now_ns: int, message: ReplyMessage, **fields: Any) -> bytes:
        return (
            to_json(ChatReply(model=self._model, created_at=rfc3339(now_ns), message=message, **fields))
            + b"\n"
        )


def _message(piece: Piece, calls: tuple[ReplyToolCall, ...]) -> ReplyMessage:
    return ReplyMessage("assistant", piece.content, piece.thinking, calls)


def _tools(given: list[dict[str, Any]], notes: Diagnostics) -> dict[str, Any]:
    tools = [_tool(tool) for tool in given]
    if tools != given:
        notes.changed("tools", "tools", "with the types and parameters that were left out")
    return {"tools": tools}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """Pass a tool on as it came, with what OpenAI demands and Ollama does not."""
    function = tool.get("function")
    passed = {**tool, "type": tool.get("type") or "function"}
    if isinstance(function, dict):
        parameters = function.get("parameters") or ANY_PARAMETERS
        if isinstance(parameters, dict) and not parameters.get("type"):
            parameters = {**parameters, "type": "object"}
        passed["function"] = {**function, "parameters": parameters}
    return passed
