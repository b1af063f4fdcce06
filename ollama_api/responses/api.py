"""/v1/responses and chat completions, both ways. Pure: times come in as arguments.

For backends that know chat completions only. What OpenAI keeps or runs on its servers is refused in a
sentence, never left out in silence. Source: OpenAI API reference, "Responses"; Ollama `openai/responses.go`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.openai_types import Reply
from gateway import counts
from gateway.errors import BadRequest
from gateway.translate.assembly import read_whole
from gateway.translate.chat_completions import completion_body, list_needed
from gateway.translate.diagnostics import PLAIN, TranslationContext
from gateway.translate.message_normalization import has_image
from gateway.translate.reasoning_replay import drop_unwanted_reasoning
from gateway.translate.response_format import Form
from gateway.translate.token_usage import Timings, measure
from ollama_api.ollama import chat as chats
from ollama_api.ollama import go_json
from ollama_api.ollama.types import ChatRequest, Metrics
from ollama_api.responses import tools
from ollama_api.responses.reply import (
    begin_response,
    call_item,
    end_response,
    incomplete_reason,
    item_id,
    log_probabilities,
    message_item,
    reasoning_item,
    text_status,
    whole_calls,
)
from ollama_api.responses.request import to_messages, with_system
from ollama_api.responses.stream import ResponsesStream
from ollama_api.responses.types import Response, ResponsesRequest, TextFormat

__all__ = [
    "PATH",
    "Response",
    "ResponsesRequest",
    "ResponsesStream",
    "check",
    "from_upstream",
    "needs",
    "parse",
    "stream",
    "to_upstream",
]

PATH = chats.PATH
WITH_LOGPROBS = "message.output_text.logprobs"
DEFAULT_NAME = "response"
FORMATS = frozenset({"text", "json_object", "json_schema"})

# Effort -> Ollama's `think`. Source: Ollama `openai/openai.go`, which takes `ultra` too.
EFFORTS: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
    "ultra": "max",
}
KEPT = "this server keeps no responses"
REFUSED = {
    "previous_response_id": f"{KEPT}: send the whole conversation as input",
    "conversation": f"{KEPT} and no conversations: send the whole conversation as input",
    "prompt": "this server keeps no prompts: send the text as instructions and input",
    "background": f"{KEPT}: ask with stream instead, and read the answer as it comes",
    "context_management": "this server does not compact conversations",
    "moderation": "this server does not moderate",
}

_decoder = msgspec.json.Decoder(ResponsesRequest)


def parse(body: bytes) -> ResponsesRequest:
    """Read a body; `input` becomes the messages of a chat completion. Raises `BadRequest`."""
    call = _decode(body)
    if not call.model:
        raise BadRequest("model is required")
    for field, reason in REFUSED.items():
        if getattr(call, field):
            raise BadRequest(f"{field} is not supported: {reason}")
    if call.reasoning is not None and call.reasoning.effort:
        _check_effort(call.reasoning.effort)
    if call.text.format is not None:
        _check_format(call.text.format)
    if isinstance(call.input, list):
        _check_counts(call.input)
    call.tools = [*call.tools, *tools.collect_added_tools(call.input)]
    tools.check(call.tools, call.tool_choice)
    call.input = to_messages(call.input)
    return call


def check(call: ResponsesRequest, rule: MappingRules) -> None:
    """Refuse what the operator says that the model cannot. Raises `BadRequest`."""
    chats.check(_as_chat(call), rule)


def needs(call: ResponsesRequest) -> tuple[str, ...]:
    """Name what the model must be able to do."""
    return list_needed(tools=call.tools, vision=any(map(has_image, call.input)))


def to_upstream(
    call: ResponsesRequest, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN
) -> dict[str, Any]:
    """Make the backend's request body."""
    conversation = drop_unwanted_reasoning(call.input, target.dialect)
    messages = with_system(conversation, call.instructions, rule, aside.notes)
    return completion_body(
        _as_chat(call),
        target,
        rule,
        messages,
        form=_form(call.text.format),
        tools=tools.wire_fields(call.tools, call.tool_choice, call.parallel_tool_calls, aside.notes),
        aside=aside,
    )


def from_upstream(
    call: ResponsesRequest, reply: Reply, timings: Timings, now_ns: int
) -> tuple[Response, Metrics]:
    """Translate a whole answer. Raises `AnswerUnusable`."""
    assembly, piece = read_whole(reply)
    reason = incomplete_reason(assembly)
    calls = whole_calls(assembly, reason, now_ns)
    metrics = measure(assembly.usage, assembly.timings, timings)
    response = begin_response(call, now_ns)
    output, status = response.output, text_status(reason, calls)
    if piece.thinking:
        output.append(reasoning_item(item_id("rs", response), status, piece.thinking, []))
    if piece.content or not (output or calls):
        logprobs = log_probabilities(piece.logprobs)
        output.append(message_item(item_id("msg", response), status, piece.content, logprobs))
    known = tools.functions(response.tools) if calls else {}
    for made in calls:
        output.append(call_item(response, made, known))
    return end_response(response, reason, assembly, metrics, now_ns), metrics


def stream(call: ResponsesRequest) -> ResponsesStream:
    """Begin to translate a streamed answer."""
    return ResponsesStream(call)


def _as_chat(call: ResponsesRequest) -> ChatRequest:
    """Say in Ollama's words what both have, so that it takes the way that it takes for a chat."""
    effort = call.reasoning.effort if call.reasoning is not None else None
    return ChatRequest(
        model=call.model,
        stream=call.stream,
        options=call.options,
        think=EFFORTS[effort] if effort else None,
        tools=call.tools,
        logprobs=call.top_logprobs > 0 or WITH_LOGPROBS in call.include,
        top_logprobs=call.top_logprobs,
    )


def _decode(body: bytes) -> ResponsesRequest:
    """Decode in one pass; what that refuses goes the forgiving way, without the nulls, in any case."""
    counts.check_values(body)
    try:
        call = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        call = None
    if call is not None and call.model and call.input is not None:
        return call
    if not body.strip():
        raise BadRequest("EOF")
    value = go_json.first_value(body)
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    fields = go_json.fold_keys(value, ResponsesRequest.__struct_fields__)
    said = {name: field for name, field in fields.items() if field is not None}
    try:
        return msgspec.convert(said, ResponsesRequest)
    except msgspec.ValidationError as error:
        raise BadRequest(_readable(error)) from None


def _readable(error: msgspec.ValidationError) -> str:
    problem, _, path = str(error).partition(" - at `$.")
    return f"{path.rstrip('`') or 'body'}: {problem[:1].lower()}{problem[1:]}".replace("`", '"')


def _check_counts(items: list[Any]) -> None:
    counts.check("input", counts.MOST_TURNS, len(items), counts.as_openai)
    lists = (value for item in items if isinstance(item, dict) for value in item.values())
    parts = sum(len(value) for value in lists if isinstance(value, list))
    counts.check("input[].content", counts.MOST_PARTS, parts, counts.as_openai)


def _check_effort(effort: str) -> None:
    if effort not in EFFORTS:
        words = ", ".join(f'"{word}"' for word in EFFORTS)
        raise BadRequest(f'invalid reasoning value: "{effort}" (must be one of {words})')


def _check_format(wanted: TextFormat) -> None:
    if wanted.type not in FORMATS:
        raise BadRequest(f'text.format: unknown type "{wanted.type}"')
    if wanted.type == "json_schema":
        if wanted.schema is None:
            raise BadRequest("text.format: schema is required")
        wanted.name = wanted.name or DEFAULT_NAME


def _form(wanted: TextFormat | None) -> Form | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return Form()
    more = {"strict": wanted.strict, "description": wanted.description}
    said = {name: value for name, value in more.items() if value is not None}
    return Form(wanted.schema, wanted.name or DEFAULT_NAME, said)
