"""From a backend's error, in any of its many shapes, to the status that it means. Pure.

Its sentence and its words for programs are found by `error_text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from backends.wire import overflow
from backends.wire.error_text import decode_body, find_sentence, sentence_of_error, walk

DEFAULT_STATUS = 500
LARGEST_FLAT = 16 * 1024
"""Bytes of an answer with 200 that may be an error without the member for it."""

# What servers write where others have a number: in `code`, `type`, `error_type` or `status`, in any case.
_WORDS = {
    **dict.fromkeys(
        (
            "badrequesterror",
            "content_filter",
            "content_policy_violation",
            "invalid_argument",
            "invalidparameter",
            "invalid_parameter",
            "invalid_parameter_value",
            "invalid_value",
            "unknown_parameter",
            "unsupported_parameter",
            "unsupported_value",
            "validationexception",
            "invalid_prompt",
            "invalid_request_error",
            "unprocessableentityerror",
            "validation",
            *overflow.CODES,
        ),
        400,
    ),
    **dict.fromkeys(
        (
            "authentication_error",
            "authenticationerror",
            "invalid_api_key",
            "invalidapikey",
            "unauthenticated",
            "unrecognizedclientexception",
        ),
        401,
    ),
    **dict.fromkeys(("arrearage", "billing_error", "insufficient_quota", "insufficient_balance"), 402),
    **dict.fromkeys(
        ("accessdeniedexception", "permission_denied", "permission_error", "permissiondeniederror"), 403
    ),
    **dict.fromkeys(
        (
            "deploymentnotfound",
            "invalid_model",
            "model_not_found",
            "modelnotfound",
            "not_found",
            "not_found_error",
            "notfounderror",
        ),
        404,
    ),
    **dict.fromkeys(
        (
            "rate_limit_error",
            "rate_limit_exceeded",
            "ratelimiterror",
            "resource_exhausted",
            "throttling",
            "throttlingexception",
            "tokens_per_minute_exceeded",
            "too_many_requests",
        ),
        429,
    ),
    **dict.fromkeys(
        (
            "capacity_exceeded",
            "engine_overloaded",
            "insufficient_system_resource",
            "overloaded",
            "overloaded_error",
            "service_unavailable",
            "unavailable",
            "unavailable_error",
        ),
        503,
    ),
    **dict.fromkeys(("deadline_exceeded", "timeout", "timeout_error"), 504),
}
# Texts of other refusals that are about the request, whatever status comes with them. Lower case: llama.cpp
# likes 500, and servers that have begun to stream have no status left.
_REQUEST_AT_FAULT = (
    "provide the mmproj",
    "image input is not supported",
    "failed to parse messages",
    "failed to parse tool",
    "failed to load image",
)
# How servers that answer 400 say that they do not know the model, and that the key is wrong. Lower case.
_NO_MODEL = ("is not a valid model id", "model not exist", "model_not_available")
_NO_KEY = ("api key not valid", "api_key_invalid")
# How OpenRouter's 403 differs where it is about what was said, and not about the key.
_MODERATED = ("error", "metadata", "reasons")
# MiniMax's codes in `base_resp`, which come with 200. Source: its API reference, "Error codes".
_BASE_RESP = {
    "1001": 504,
    "1002": 429,
    "1004": 401,
    "1008": 402,
    "1026": 400,
    "1027": 400,
    "1039": 429,
    "1041": 429,
    "1042": 400,
    "2013": 400,
    "2045": 429,
    "2049": 401,
    "2056": 429,
}
_ERROR, _BASE = b'"error"', b'"base_resp"'
_IS_ANSWER = re.compile(rb'"(?:choices|data|embeddings?|output|content|response|done)"\s*:(?!\s*null)')
# What stands in an answer, and in no error that is told without the member for it.
_ANSWERS = frozenset(
    {"choices", "data", "embedding", "embeddings", "output", "content", "response", "results", "text", "done"}
)
_GOOD = ("", "0", "200", "ok", "success")
"""Codes of answers that have nothing to complain of."""


class _Erroneous(msgspec.Struct):
    """What is looked at of a whole answer."""

    error: Any = None


_decode_error = msgspec.json.Decoder(_Erroneous).decode


def find_error(body: bytes) -> Any:
    """Find the error that a server tells in the body of a 200; None: it is an answer."""
    try:
        if _ERROR in body and (error := _decode_error(body).error):
            return error
        if _BASE not in body and (len(body) > LARGEST_FLAT or _IS_ANSWER.search(body)):
            return None
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # whoever reads the answer says what is wrong with it
    return find_flat_error(decoded) if isinstance(decoded, dict) else None


def find_flat_error(members: dict[str, Any]) -> Any:
    """Find an error that has no `error` around it; `members`: those of an event or an answer.

    Older vLLM tells one by its `object`, Venice by another name, MiniMax by `base_resp`, FastAPI by `detail`.
    """
    if members.get("object") == "error" or members.get("type") == "error" or "error_message" in members:
        return members
    code = walk(members, ("base_resp", "status_code"))
    if code is not None and str(code) not in _GOOD:
        return members
    if any(members.get(name) for name in _ANSWERS):
        return None
    has_code = str(walk(members, ("code",)) or "").lower() not in _GOOD
    is_told = (
        has_code or members.get("success") is False or members.keys() <= {"detail", "message", "Message"}
    )
    is_told = is_told or bool(members.get("errors"))
    return members if is_told and find_sentence(members) else None


def status_of_error(error: Any) -> int:
    """Find the status that an error event means: by a number, a word, or its text; else 500."""
    if isinstance(error, Mapping) and isinstance(error.get("error"), Mapping):
        error = error["error"]
    stated = _number_in(error) or _word_in(error) or DEFAULT_STATUS
    return _judge_failure(stated, sentence_of_error(error) or "")


def status_of(status: int, body: bytes) -> int:
    """Judge a refusal's status by what its body says."""
    if status == 429 and b"insufficient_quota" in body:
        return 402  # waiting does not help, and another backend may
    if status == 400:
        return _judge_refusal(body)
    if status == 403 and walk(decode_body(body), _MODERATED):
        return 400
    return _judge_failure(status, body.decode("utf-8", "replace")) if status == 500 else status


def _judge_refusal(body: bytes) -> int:
    """Find the status that a 400 means: some servers call a wrong key or an unknown model a bad request."""
    decoded = decode_body(body)
    folded = (find_sentence(decoded) or "").lower()
    if any(sign in folded for sign in _NO_KEY):
        return 401
    word = _word_in(walk(decoded, ("error",))) or _word_in(decoded)
    return 404 if word == 404 or any(sign in folded for sign in _NO_MODEL) else 400


def _judge_failure(status: int, text: str) -> int:
    """Find the status that a 500 means: some servers call a request that is at fault their own failure."""
    if status != DEFAULT_STATUS:
        return status
    folded = text.lower()
    is_at_fault = overflow.is_too_long(folded) or any(sign in folded for sign in _REQUEST_AT_FAULT)
    return 400 if is_at_fault else status


def _number_in(error: Any) -> int | None:
    if isinstance(error, Mapping):
        for name in ("code", "status", "http_status_code", "status_code"):
            code = str(error.get(name, ""))
            if len(code) == 3 and code.isdecimal() and 400 <= int(code) <= 599:
                return int(code)
        code = walk(error, ("base_resp", "status_code"))
        return _BASE_RESP.get(str(code))
    return None


def _word_in(error: Any) -> int | None:
    if isinstance(error, Mapping):
        for name in ("code", "status", "type", "error_type"):
            status = _WORDS.get(str(error.get(name, "")).lower())
            if status is not None:
                return status
    return None
