"""POST /v1/messages: its requests to neutral ones, and answers to its own. Pure: times come in as arguments.

Goes further than Ollama where no client can mind: `tool_choice`, `output_config.format`, text documents and
the order of text and images reach the backend; a failure in mid-stream is an event.
"""

from __future__ import annotations

from gateway import raw_forms
from gateway.answer import AnswerMetrics, AnswerPart, AnswerToolCall
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.generation import GenerationRequest
from gateway.token_estimate import estimate_input
from gateway.translate.assembly import CompleteAnswer
from gateway.translate.response_format import parse_ollama_format
from ollama_api.anthropic.reply import error_body, message_id, stop_reason, tokens
from ollama_api.anthropic.request import parse
from ollama_api.anthropic.stream import MessagesStream
from ollama_api.anthropic.types import (
    MessagesReply,
    MessagesRequest,
    ReplyBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from ollama_api.raw_api import make_raw_api


def to_operation(call: MessagesRequest, diagnostics: Diagnostics | None = None) -> GenerationRequest:
    """Make the neutral request. Thinking is a wish here, and never refused; nor are images."""
    if diagnostics is not None:
        for name, why in call.left_out.items():
            diagnostics.note_dropped(name, why)
    return GenerationRequest(
        model=call.model,
        stream=call.stream,
        verb="chat",
        system=call.system,
        turns=call.turns,
        turn_notes=diagnostics,
        tools=call.tools,
        tool_fields=call.tool_choice,
        response_format=parse_ollama_format(call.format),
        options=call.options,
        client_options=call.options,
        think=call.think,
        hides_thinking=call.think is False,
        requires_images=False,
        private=call,
    )


def encode(
    request: GenerationRequest, answer: CompleteAnswer, metrics: AnswerMetrics, now_ns: int
) -> MessagesReply:
    """Write a whole answer. Raises `AnswerUnusable`."""
    calls = answer.assembly.tool_calls(now_ns)
    return MessagesReply(
        id=message_id(now_ns, request.model),
        model=request.model,
        content=_content(answer.part, calls),
        stop_reason=stop_reason(answer.assembly, bool(calls)),
        usage=tokens(metrics, 0 if metrics.prompt_eval_count else estimate_input(request)),
    )


def open_stream(request: GenerationRequest) -> MessagesStream:
    """Begin to write a streamed answer. Its first event has to name a number of input tokens."""
    return MessagesStream(request.model, estimate_input(request), hides_thinking=request.hides_thinking)


def _content(part: AnswerPart, calls: tuple[AnswerToolCall, ...]) -> list[ReplyBlock]:
    content: list[ReplyBlock] = []
    if part.thinking:
        content.append(ThinkingBlock(part.thinking))
    if part.content:
        content.append(TextBlock(part.content))
    return content + [ToolUseBlock(call.id, call.function.name, call.function.arguments) for call in calls]


MESSAGES = ClientApi(
    name="v1.messages",
    parse=parse,
    translate=to_operation,
    encode=encode,
    open_stream=open_stream,
    raw=make_raw_api("v1.messages", raw_forms.MESSAGES, error_body),
)
