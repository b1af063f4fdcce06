"""Answers that are not what was asked for: statuses, other content types, errors under status 200."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tests.fake_backend.answers import Answer, error_body, json_script
from tests.fake_backend.steps import BodyStep, Chunk, Done, Script, Send, Step

HTML = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
RATE_LIMITED = error_body("Rate limit reached.", "requests", "rate_limit_exceeded")
OVERFLOW = "This model's maximum context length is 4096 tokens."
CONTEXT_ERROR = error_body(OVERFLOW, "invalid_request_error", "context_length_exceeded")
SERVER_ERROR = error_body("The model has crashed.", "server_error")


def status(code: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Script:
    """Answer with a status and a body: text or bytes as they are, other values as JSON."""
    if isinstance(body, str | bytes):
        data = body.encode() if isinstance(body, str) else body
        return Script([Send(data)], code, headers or {}, content_type="text/plain", framing="length")
    default = error_body(f"Status {code}.", "server_error" if code >= 500 else "invalid_request_error")
    return json_script(code, default if body is None else body, dict(headers or {}))


def json_body(value: Any) -> Script:
    """Answer 200 with a JSON value, whatever was asked."""
    return json_script(200, value)


def rate_limited(retry_after: float | str | None = 1) -> Script:
    """Answer 429, with a Retry-After in seconds or as a date, or without one."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return json_script(429, RATE_LIMITED, headers)


def model_not_found(model: str) -> Script:
    """Answer as OpenAI does for a model it does not have."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return json_script(404, error_body(message, "invalid_request_error", "model_not_found"))


def redirect(to: str, code: int = 307) -> Script:
    """Send the client elsewhere."""
    return Script([], code, {"location": to}, framing="length")


def html_200() -> Script:
    """Answer 200 with a login page, as a captive gateway does."""
    return Script([Send(HTML)], content_type="text/html; charset=utf-8", framing="length")


def json_200_instead_of_sse(*, blank_lines: int = 0) -> Script:
    """Answer a streaming request with one whole JSON object; blank lines are DeepSeek's keep-alive."""

    def play(answer: Answer) -> Iterable[Step]:
        return [Send(b"\n")] * blank_lines + [Send(msgspec.json.encode(answer.whole))]

    return Script(play, content_type="application/json", framing="chunked")


def replay(pieces: Iterable[bytes], content_type: str = "text/event-stream") -> Script:
    """Send recorded bytes, each piece in its own write."""
    return Script([Send(piece) for piece in pieces], content_type=content_type, framing="chunked")


def error_event_first(error: Any = CONTEXT_ERROR, *, event: str | None = None, done: bool = True) -> Script:
    """Answer 200, but the first event (or the whole body) is an error."""

    def play(answer: Answer) -> Iterable[Step]:
        if not answer.streaming:
            return [Send(msgspec.json.encode(error))]
        return [Chunk(error, event), *([Done()] if done else [])]

    return Script(play)


def error_event_mid(
    after: int = 1, error: Any = SERVER_ERROR, *, event: str | None = None, done: bool = False
) -> Script:
    """Stream so many pieces of content, then an error event; a whole answer is the error."""

    def play(answer: Answer) -> Iterable[Step]:
        if not answer.streaming:
            return [Send(msgspec.json.encode(error))]
        end: list[BodyStep] = [Done()] if done else []
        return [*answer.opening, *answer.content[:after], Chunk(error, event), *end]

    return Script(play)
