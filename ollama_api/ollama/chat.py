"""/api/chat: its requests to neutral ones, and answers to its lines. Pure: times come in as arguments."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.answer import AnswerMetrics, AnswerPart, AnswerToolCall
from gateway.client_api import ClientApi
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest
from gateway.generation import GenerationRequest, OllamaForm
from gateway.operation import ModelLoad
from gateway.translate.assembly import Assembly, CompleteAnswer
from gateway.translate.tools import without_foreign_members
from ollama_api.json_encoding import rfc3339, to_json
from ollama_api.ollama import messages, parse
from ollama_api.ollama.neutral_request import make_request
from ollama_api.ollama.stream import LineEncoder
from ollama_api.ollama.types import ChatReply, ChatRequest, ReplyMessage


def parse_body(body: bytes) -> ChatRequest:
    """Read the body of /api/chat. Raises `BadRequest`."""
    call = parse.chat(body)
    if not call.model:
        raise BadRequest("model is required")
    return call


def to_operation(call: ChatRequest, diagnostics: Diagnostics | None = None) -> GenerationRequest | ModelLoad:
    """Make the neutral request. One without messages only loads or unloads. Raises `BadRequest`."""
    diagnostics = diagnostics or SILENT
    request = make_request(
        call,
        verb="chat",
        turns=messages.to_openai(call.messages, diagnostics),
        turn_notes=diagnostics,
        ollama=OllamaForm(messages=call.messages, tools=call.tools, format=call.format),
        tools=_keep_known_members(call.tools, diagnostics) if call.tools else [],
    )
    return request if call.messages else ModelLoad(request=request)


def encode(
    request: GenerationRequest, answer: CompleteAnswer, metrics: AnswerMetrics, now_ns: int
) -> ChatReply:
    """Write a whole answer. Raises `AnswerUnusable`; `BadRequest` where a filter kept it back whole."""
    return ChatReply(
        model=request.model,
        created_at=rfc3339(now_ns),
        message=_message(answer.part, answer.assembly.tool_calls(now_ns)),
        done=True,
        done_reason=answer.assembly.done_reason(),
        logprobs=answer.part.logprobs or [],
        **msgspec.structs.asdict(metrics),
    )


def encode_load(request: GenerationRequest, reason: str, now_ns: int) -> ChatReply:
    """Answer a load or an unload: no text, no figures."""
    return ChatReply(
        model=request.model,
        created_at=rfc3339(now_ns),
        message=ReplyMessage("assistant", ""),
        done=True,
        done_reason=reason,
    )


def open_stream(request: GenerationRequest) -> LineEncoder:
    """Begin to write a streamed answer: text at once, tool calls whole, one final line."""
    return LineEncoder(_ChatLines(request.model), shows_thinking=not request.hides_thinking)


class _ChatLines:
    """How a chat's lines look."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._head = b'{"model":' + to_json(model) + b',"created_at":"'

    def line(self, piece: AnswerPart, now_ns: int) -> bytes:
        """Write a `done:false` line; the usual one, text alone, without the detour over a struct."""
        if piece.thinking or piece.logprobs:
            return self._encode_line(now_ns, _message(piece, ()), done=False, logprobs=piece.logprobs or [])
        return b'%b%b","message":{"role":"assistant","content":%b},"done":false}\n' % (
            self._head,
            rfc3339(now_ns).encode(),
            to_json(piece.content),
        )

    def last(self, assembly: Assembly, metrics: AnswerMetrics, now_ns: int) -> bytes:
        """Write each gathered tool call in a line of its own, as Ollama does, then the final line.

        Clients that count a call a line would lose all but one of a line.
        """
        lines = [
            self._encode_line(now_ns, ReplyMessage("assistant", "", tool_calls=(call,)), done=False)
            for call in assembly.tool_calls(now_ns)
        ]
        lines.append(
            self._encode_line(
                now_ns,
                ReplyMessage("assistant", ""),
                done=True,
                done_reason=assembly.done_reason(),
                **msgspec.structs.asdict(metrics),
            )
        )
        return b"".join(lines)

    def _encode_line(self, now_ns: int, message: ReplyMessage, **fields: Any) -> bytes:
        return (
            to_json(ChatReply(model=self._model, created_at=rfc3339(now_ns), message=message, **fields))
            + b"\n"
        )


def _message(piece: AnswerPart, calls: tuple[AnswerToolCall, ...]) -> ReplyMessage:
    return ReplyMessage("assistant", piece.content, piece.thinking, calls)


def _keep_known_members(given: list[dict[str, Any]], diagnostics: Diagnostics) -> list[dict[str, Any]]:
    tools = [without_foreign_members(tool) for tool in given]
    for place, (tool, before) in enumerate(zip(tools, given, strict=True)):
        if tool is not before:
            diagnostics.note_changed(f"tools[{place}]", "tools", "without members that Ollama does not know")
    return tools


API = ClientApi(
    name="chat",
    parse=parse_body,
    translate=to_operation,
    encode=encode,
    open_stream=open_stream,
    encode_load=encode_load,
)
