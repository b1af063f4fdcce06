"""A backend's refusal, as a status, an event, or an answer with 200: all become an `UpstreamRejected`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends import key_redaction
from backends.errors import UpstreamRejected
from backends.routing.snapshot import Target
from backends.wire import error_text, failures, overflow, refused_fields, retry

LIMITED = 429
REQUEST_REFUSED = (400, 422)


def reject(
    target: Target, status: int, reason: str, headers: Mapping[str, str], body: bytes
) -> UpstreamRejected:
    """Make the refusal that a status tells. `reason`: what stands beside the status."""
    hide = key_redaction.hider(target.upstream)
    message = error_text.message_of(body, reason, hide)
    return _refusal(
        target,
        failures.status_of(status, body),
        message,
        error_text.words_of(body, hide),
        headers,
        error_text.decode_body(body) or body.decode("utf-8", "replace"),
    )


def error_in(target: Target, error: Any) -> UpstreamRejected:
    """Make the error that a backend tells in the body of a 200."""
    hide = key_redaction.hider(target.upstream)
    message = error_text.message_of_error(error, "the backend reported an error", hide)
    words = error_text.words_of_error(error, hide)
    return _refusal(target, failures.status_of_error(error), message, words, {}, {"error": error})


def _refusal(
    target: Target,
    status: int,
    message: str,
    words: tuple[str, str],
    headers: Mapping[str, str],
    decoded: Any,
) -> UpstreamRejected:
    wait_s = retry.retry_after_s(headers, decoded, message)
    if wait_s is None and status == LIMITED:
        wait_s = retry.reset_after_s(headers, decoded)
    fields = refused_fields.find_fields(decoded, *words) if status in REQUEST_REFUSED else ()
    return UpstreamRejected(
        target.upstream.name,
        status,
        message,
        wait_s,
        speaks_of_length=overflow.is_too_long(message),
        code=words[0],
        param=words[1],
        fields=fields,
    )
