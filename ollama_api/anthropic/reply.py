"""What whole and streamed answers of /v1/messages share, and its errors. Pure."""

from __future__ import annotations

import hashlib

from backends.wire.finish_reasons import FILTERS
from gateway.answer import AnswerMetrics
from gateway.errors import Failure
from gateway.translate.assembly import Assembly
from ollama_api.anthropic.types import ErrorBody, ErrorDetail, StopReason, TokenUsage

# Source: Ollama v0.33 `anthropic/anthropic.go:NewError`; 413 and 504: Anthropic API reference, "Errors".
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OTHER_ERROR = "api_error"

# Ends that say more than stop or length. Source: Anthropic API reference, "Stop reasons".
SPECIAL_STOPS: dict[str, StopReason] = {
    "stop_sequence": "stop_sequence",
    **dict.fromkeys(FILTERS, "refusal"),
}
STOPS: dict[str, StopReason] = {"stop": "end_turn", "length": "max_tokens"}


def stop_reason(assembly: Assembly, has_calls: bool) -> StopReason:
    """Say why the answer ended. Raises `BadRequest` where there is no answer to speak of."""
    ended = assembly.done_reason()
    if has_calls:
        return "tool_use"
    return SPECIAL_STOPS.get(assembly.finish_reason or "") or STOPS[ended]


def tokens(metrics: AnswerMetrics, estimated_input: int) -> TokenUsage:
    """Give the counts; the estimate stands in for the one that clients plan their next turns by."""
    return TokenUsage(metrics.prompt_eval_count or estimated_input, metrics.eval_count)


def message_id(now_ns: int, model: str) -> str:
    """Make an id in Anthropic's form."""
    return "msg_" + hashlib.blake2s(f"{now_ns}.{model}".encode(), digest_size=12).hexdigest()


def error_body(failure: Failure, request_id: str) -> ErrorBody:
    """Write an error as Anthropic does, with the type that its status has there."""
    return ErrorBody(ErrorDetail(ERROR_TYPES.get(failure.status, OTHER_ERROR), failure.message), request_id)
