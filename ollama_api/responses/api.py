"""/v1/responses: its requests to neutral ones, and answers to its own. Pure: times come in as arguments.

For backends that know chat completions only. What OpenAI keeps or runs on its servers is refused in a
sentence, never left out in silence. Source: OpenAI API reference, "Responses"; Ollama `openai/responses.go`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway import counts, go_json, raw_forms
from gateway.answer import AnswerMetrics
from gateway.client_api import ClientApi
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest
from gateway.generation import GenerationRequest, ResponseFormat
from gateway.translate.assembly import CompleteAnswer
from ollama_api.raw_api import make_raw_api
from ollama_api.responses import tools
from ollama_api.responses.reply import (
    begin_response,
    call_item,
    end_response,
    error_fields,
    incomplete_reason,
    item_id,
    log_probabilities,
    message_item,
    reasoning_item,
    text_status,
    whole_calls,
)
from ollama_api.responses.request import split_system, to_messages
from ollama_api.responses.stream import ResponsesStream
from ollama_api.responses.thoughts import drop_own_thinking
from ollama_api.responses.types import Response, ResponsesRequest, TextFormat

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


def to_operation(call: ResponsesRequest, diagnostics: Diagnostics | None = None) -> GenerationRequest:
    """Make the neutral request."""
    effort = call.reasoning.effort if call.reasoning is not None else None
    fields = tools.wire_fields(call.tools, call.tool_choice, call.parallel_tool_calls, diagnostics or SILENT)
    system, turns = split_system(call.input, call.instructions)
    return GenerationRequest(
        model=call.model,
        stream=call.stream,
        verb="chat",
        system=system,
        turns=turns,
        turn_notes=diagnostics,
        tools=fields.pop("tools", []),
        tool_fields=fields,
        response_format=_read_format(call.text.format),
        options=call.options,
        client_options=call.options,
        think=EFFORTS[effort] if effort else None,
        requires_thinking=True,
        logprobs=call.top_logprobs > 0 or WITH_LOGPROBS in call.include,
        top_logprobs=call.top_logprobs,
        private=call,
    )


def encode(
    request: GenerationRequest, answer: CompleteAnswer, metrics: AnswerMetrics, now_ns: int
) -> Response:
    """Write a whole answer. Raises `AnswerUnusable`."""
    assembly, part = answer.assembly, answer.part
    reason = incomplete_reason(assembly)
    calls = whole_calls(assembly, reason, now_ns)
    response = begin_response(request.private, now_ns)
    output, status = response.output, text_status(reason, calls)
    if part.thinking:
        output.append(reasoning_item(item_id("rs", response), status, part.thinking, []))
    if part.content or not (output or calls):
        logprobs = log_probabilities(part.logprobs)
        output.append(message_item(item_id("msg", response), status, part.content, logprobs))
    known = tools.functions(response.tools) if calls else {}
    for made in calls:
        output.append(call_item(response, made, known))
    return end_response(response, reason, assembly, metrics, now_ns)


def open_stream(request: GenerationRequest) -> ResponsesStream:
    """Begin to write a streamed answer."""
    return ResponsesStream(request.private)


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
    present = {name: field for name, field in fields.items() if field is not None}
    try:
        return msgspec.convert(present, ResponsesRequest)
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


def _read_format(wanted: TextFormat | None) -> ResponseFormat | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return ResponseFormat()
    more = {"strict": wanted.strict, "description": wanted.description}
    settings = {name: value for name, value in more.items() if value is not None}
    return ResponseFormat(wanted.schema, wanted.name or DEFAULT_NAME, settings)


RESPONSES = ClientApi(
    name="v1.responses",
    parse=parse,
    translate=to_operation,
    encode=encode,
    open_stream=open_stream,
    raw=msgspec.structs.replace(
        make_raw_api(
            "v1.responses",
            raw_forms.RESPONSES,
            lambda failure, request_id: {"type": "error", **error_fields(failure, request_id)},
        ),
        translate=drop_own_thinking,
    ),
)
