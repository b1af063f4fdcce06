"""POST /v1/messages and chat completions, both ways. Pure: times come in as arguments.

Goes further than Ollama where no client can mind: `tool_choice`, `output_config.format`, text documents and
the order of text and images reach the backend; a failure in mid-stream is an event.
"""

from __future__ import annotations

from typing import Any

from backends.routing.snapshot import MappingRules, Target
from backends.wire.openai_types import Reply
from core.model_names import full_name
from gateway.translate.assembly import Piece, read_whole
from gateway.translate.chat_completions import OWN_TURNS, completion_body, list_needed, require
from gateway.translate.diagnostics import PLAIN, Diagnostics, TranslationContext
from gateway.translate.message_normalization import has_image
from gateway.translate.reasoning_replay import THOUGHT, drop_unwanted_reasoning
from gateway.translate.response_format import of_format
from gateway.translate.token_usage import Timings, measure
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
from ollama_api.ollama.types import ChatRequest, Metrics, ReplyToolCall

__all__ = [
    "MessagesReply",
    "MessagesRequest",
    "MessagesStream",
    "check",
    "error_body",
    "estimate",
    "from_upstream",
    "needs",
    "parse",
    "stream",
    "to_upstream",
]

PATH = "/chat/completions"
BYTES_PER_TOKEN = 4
"""A rule of thumb. Source: Ollama v0.33 `anthropic/anthropic.go:estimateTokens`."""
UNCOUNTED = ("image_url", THOUGHT)


def check(call: MessagesRequest, rule: MappingRules) -> None:
    """Refuse what the operator says that the model cannot. Thinking is a wish here, and never refused."""
    require(rule, "completion", f'"{call.model}" does not support chat')
    if call.tools:
        require(rule, "tools", f"{full_name(call.model)} does not support tools")


def needs(call: MessagesRequest) -> tuple[str, ...]:
    """Name what the model must be able to do."""
    return list_needed(tools=call.tools, vision=any(map(has_image, call.turns)))


def to_upstream(
    call: MessagesRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the backend's request body."""
    thinks = not rule.rules_out("thinking")
    chat = ChatRequest(
        model=call.model,
        stream=call.stream,
        options=call.options,
        think=call.think if thinks else None,
    )
    return completion_body(
        chat,
        target,
        rule,
        drop_unwanted_reasoning(_messages(call, rule, aside.notes), target.dialect),
        form=of_format(call.format),
        tools={"tools": call.tools, **call.tool_choice} if call.tools else None,
        aside=aside,
    )


def from_upstream(
    call: MessagesRequest, reply: Reply, timings: Timings, now_ns: int
) -> tuple[MessagesReply, Metrics]:
    """Translate a whole answer. Raises `AnswerUnusable`."""
    assembly, piece = read_whole(reply)
    metrics = measure(assembly.usage, assembly.timings, timings)
    calls = assembly.tool_calls(now_ns)
    whole = MessagesReply(
        id=message_id(now_ns, call.model),
        model=call.model,
        content=_content(piece, calls, _shows_thinking(call)),
        stop_reason=stop_reason(assembly, bool(calls)),
        usage=tokens(metrics, 0 if metrics.prompt_eval_count else estimate(call)),
    )
    return whole, metrics


def stream(call: MessagesRequest) -> MessagesStream:
    """Begin to translate a streamed answer. Its first event has to name a number of input tokens."""
    return MessagesStream(call.model, estimate(call), shows_thinking=_shows_thinking(call))


def estimate(call: MessagesRequest) -> int:
    """Estimate the input tokens: one per four bytes of text and of field names; images do not count.

    A backend's tokenizer is its own secret; what it counted is in the answer's usage.
    """
    return max(1, _bytes_of_text([call.system, call.turns, call.tools]) // BYTES_PER_TOKEN)


def _bytes_of_text(value: Any) -> int:
    """Count without recursion: a schema may be nested deeper than calls may be."""
    total, rest = 0, [value]
    while rest:
        inner = rest.pop()
        if isinstance(inner, str):
            total += len(inner.encode())
        elif isinstance(inner, dict):
            named = {name: part for name, part in inner.items() if name not in UNCOUNTED}
            total += sum(map(len, named))
            rest += named.values()
        elif isinstance(inner, list):
            rest += inner
    return total


def _messages(call: MessagesRequest, rule: MappingRules, notes: Diagnostics) -> list[dict[str, Any]]:
    """Put the system prompt first, the client's or else the mapping's, and then the example turns."""
    begins_with_system = call.turns[0]["role"] == "system"
    own = "" if call.system or begins_with_system else rule.system
    if own or rule.messages:
        notes.added("messages", OWN_TURNS)
    system = call.system or own
    first = [{"role": "system", "content": system}] if system else []
    return [*first, *rule.messages, *call.turns]


def _shows_thinking(call: MessagesRequest) -> bool:
    """Hide thinking that was switched off: such clients read the first block as the answer."""
    return call.think is not False


def _content(piece: Piece, calls: tuple[ReplyToolCall, ...], shows_thinking: bool) -> list[ReplyBlock]:
    content: list[ReplyBlock] = []
    if piece.thinking and shows_thinking:
        content.append(ThinkingBlock(piece.thinking))
    if piece.content:
        content.append(TextBlock(piece.content))
    return content + [ToolUseBlock(call.id, call.function.name, call.function.arguments) for call in calls]
