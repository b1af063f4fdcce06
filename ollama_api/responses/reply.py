"""What a response is made of, whether it comes whole or event by event. Pure.

Ids follow from the time and the model's name: nothing is kept here, so nobody asks for them again.
"""

from __future__ import annotations

import hashlib
from typing import Any

from backends.wire.finish_reasons import FILTERS
from gateway.answer import AnswerMetrics, AnswerToolCall
from gateway.errors import TOO_LONG, AnswerUnusable, Failure
from gateway.translate.assembly import Assembly
from ollama_api.responses import tools
from ollama_api.responses.thoughts import write_thinking
from ollama_api.responses.types import (
    CustomCallItem,
    FunctionCallItem,
    IncompleteDetails,
    InputTokensDetails,
    MessageItem,
    OutputText,
    OutputTokensDetails,
    ReasoningItem,
    Response,
    ResponsesRequest,
    ResponseUsage,
    SummaryText,
    TextConfig,
    TextFormat,
)

NS = 1_000_000_000
# What a failure is called in a response, whose type knows no other code that fits.
ERROR_CODES = {400: "invalid_prompt", 429: "rate_limit_exceeded"}
OTHER_ERROR = "server_error"
PLAIN_TEXT = TextFormat("text")


def error_code(failure: Failure) -> str:
    """Name a failure for programs."""
    if failure.code == TOO_LONG:
        return TOO_LONG
    return ERROR_CODES.get(failure.status, OTHER_ERROR)


def error_fields(failure: Failure, request_id: str) -> dict[str, Any]:
    """Give the members of the event `error`, but for its type and number.

    The documented event is flat, the one that OpenAI sends has an object, and libraries read either: the
    official Python one raises at the object, and would go on without it.
    """
    code = error_code(failure)
    common = {"code": code, "message": failure.message, "param": None}
    return {**common, "error": {"type": code, **common, "request_id": request_id}}


def begin_response(call: ResponsesRequest, now_ns: int) -> Response:
    """Begin a response: no output yet, and what the request said.

    What it did not say is shown with OpenAI's defaults, where typed clients expect a value.
    """
    key = hashlib.blake2s(f"{now_ns}.{call.model}".encode(), digest_size=20).hexdigest()
    return Response(
        id=f"resp_{key}",
        created_at=now_ns // NS,
        model=call.model,
        output=[],
        instructions=call.instructions,
        max_output_tokens=call.max_output_tokens,
        max_tool_calls=call.max_tool_calls,
        metadata=call.metadata,
        parallel_tool_calls=call.parallel_tool_calls is not False,
        prompt_cache_key=call.prompt_cache_key,
        reasoning=call.reasoning,
        safety_identifier=call.safety_identifier,
        temperature=1.0 if call.temperature is None else call.temperature,
        text=TextConfig(call.text.format or PLAIN_TEXT, call.text.verbosity),
        tool_choice="auto" if call.tool_choice is None else call.tool_choice,
        tools=tools.echo_tools(call.tools),
        top_logprobs=call.top_logprobs,
        top_p=1.0 if call.top_p is None else call.top_p,
        truncation=call.truncation,
        user=call.user,
    )


def item_id(prefix: str, response: Response) -> str:
    """Name the next item of a response."""
    key = response.id.removeprefix("resp_")
    return f"{prefix}_{key}{len(response.output):04x}"


def incomplete_reason(assembly: Assembly) -> str | None:
    """Say why there is no more, or None for a complete answer. Raises `BadRequest`."""
    if assembly.done_reason() == "length":
        return "max_output_tokens"
    return "content_filter" if assembly.finish_reason in FILTERS else None


def whole_calls(assembly: Assembly, reason: str | None, salt: int) -> tuple[AnswerToolCall, ...]:
    """Give the calls. One that the limit or the filter cut in two is none: its client is told of that.

    Raises:
        AnswerUnusable: a call's arguments are no JSON object, for no reason.
    """
    try:
        return assembly.tool_calls(salt)
    except AnswerUnusable:
        if reason is None:
            raise
        return ()


def text_status(reason: str | None, calls: tuple[AnswerToolCall, ...]) -> str:
    """Say how the last text ended: what calls follow was said to its end."""
    return "completed" if reason is None or calls else "incomplete"


def reasoning_item(made_id: str, status: str, text: str, logprobs: list[dict[str, Any]]) -> ReasoningItem:
    """Make an item of thinking, which has neither a status nor probabilities."""
    return ReasoningItem(made_id, [SummaryText(text)], write_thinking(text))


def message_item(made_id: str, status: str, text: str, logprobs: list[dict[str, Any]]) -> MessageItem:
    """Make an item of text."""
    return MessageItem(made_id, status, [OutputText(text, [], logprobs)])


def call_item(
    response: Response, call: AnswerToolCall, known: tools.Functions
) -> FunctionCallItem | CustomCallItem:
    """Make an item of a call, under the names that the client gave the tool; `known` are all its tools."""
    namespace, tool = known.get(call.function.name, ("", {}))
    item: FunctionCallItem | CustomCallItem
    arguments = bytes(call.function.arguments)
    name = tool["name"] if namespace else call.function.name
    if tool.get("type") == "custom":
        text = tools.text_of(arguments)
        item = CustomCallItem(item_id("ctc", response), "completed", call.id, name, text)
    else:
        item = FunctionCallItem(item_id("fc", response), "completed", call.id, name, arguments.decode())
    if namespace:
        item.namespace = namespace
    return item


def end_response(
    response: Response, reason: str | None, assembly: Assembly, metrics: AnswerMetrics, now_ns: int
) -> Response:
    """Complete a response whose output is all there."""
    response.status = "completed" if reason is None else "incomplete"
    response.incomplete_details = None if reason is None else IncompleteDetails(reason)
    response.completed_at = now_ns // NS if reason is None else None
    response.usage = _usage(assembly, metrics)
    return response


def _usage(assembly: Assembly, metrics: AnswerMetrics) -> ResponseUsage:
    given, made = metrics.prompt_eval_count, metrics.eval_count
    cached: float | None = assembly.timings.cache_n if assembly.timings is not None else None
    thought: float | None = None
    if assembly.usage is not None:
        cached, thought = assembly.usage.cached_tokens or cached, assembly.usage.reasoning_tokens
    of_input = InputTokensDetails(cached_tokens=_part(cached, given))
    return ResponseUsage(given, of_input, made, OutputTokensDetails(_part(thought, made)), given + made)


def _part(count: float | None, whole: int) -> int:
    """Give a part of a count, which is none where nobody told it."""
    return max(0, min(int(count or 0), whole))


def log_probabilities(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Translate the probabilities of a chat completion: here no field may be left out or null."""
    return [
        _token(entry) | {"top_logprobs": [_token(other) for other in _entries(entry.get("top_logprobs"))]}
        for entry in entries or ()
    ]


def _token(entry: dict[str, Any]) -> dict[str, Any]:
    token = str(entry.get("token") or "")
    letters = entry.get("bytes")
    return {
        "token": token,
        "bytes": list(token.encode()) if letters is None else letters,
        "logprob": entry.get("logprob") or 0.0,
    }


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
