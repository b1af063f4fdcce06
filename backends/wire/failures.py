"""From a backend's error, in any of its many shapes, to a status and a sentence. Pure.

The sentence is fit for a client: bounded, one line, without URLs, keys or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from backends.wire import overflow
from backends.wire.redaction import MARK, Hide, as_it_is

MAX_MESSAGE = 500
GLIMPSE = 200
LARGEST_QUOTE = 8 * 1024
MOST_FAULTS = 3
DEFAULT_STATUS = 500

# What looks like a key; keys that are known are taken out before, whatever they look like.
_SECRET = re.compile(
    r"\b(?:(?:sk|pk|gsk|org|proj|key|nvapi|xai|hf|fw|tgp|pplx|lg|ghp|glpat)[-_]|AIza|Bearer +|Basic +)"
    r"[A-Za-z0-9_\-*.+/=]{8,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+|https?://\S+",
    re.IGNORECASE,
)
_IS_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,99}")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
# What servers write where others have a number: in `code`, `type`, `error_type` or `status`, in any case.
_WORDS = {
    **dict.fromkeys(
        (
            "badrequesterror",
            "content_filter",
            "content_policy_violation",
            "invalid_argument",
            "invalid_prompt",
            "invalid_request_error",
            "unprocessableentityerror",
            "validation",
            *overflow.CODES,
        ),
        400,
    ),
    **dict.fromkeys(
        ("authentication_error", "authenticationerror", "invalid_api_key", "unauthenticated"), 401
    ),
    **dict.fromkeys(("billing_error", "insufficient_quota", "insufficient_balance"), 402),
    **dict.fromkeys(("permission_denied", "permission_error", "permissiondeniederror"), 403),
    **dict.fromkeys(
        (
            "deploymentnotfound",
            "invalid_model",
            "model_not_found",
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
# Where the sentence hides, first hit wins: OpenAI, flat shapes, FastAPI, API management fronts.
_PATHS = (
    ("error", "message"),
    ("error", "message", "detail"),
    ("error", "error", "message"),
    ("error", "error_message"),
    ("error", "detail"),
    ("error", "error"),
    ("error",),
    ("message",),
    ("message", "detail"),
    ("detail",),
    ("fault", "faultstring"),
    ("msg",),
    ("err",),
    ("error_msg",),
    ("error_message",),
    ("header", "message"),
    ("response", "error", "message"),
)
# Where FastAPI's validation lists what is wrong: each with a place, `loc`, and a text, `msg`.
_LISTS = (("detail",), ("message", "detail"), ("error", "message", "detail"))
# Where a gateway quotes the server behind it. OpenRouter's own sentence is "Provider returned error".
_QUOTE = ("error", "metadata", "raw")
# How servers that answer 400 say that they do not know the model, and that the key is wrong. Lower case.
_NO_MODEL = ("is not a valid model id", "model not exist", "model_not_available")
_NO_KEY = ("api key not valid", "api_key_invalid")
_ERROR = b'"error"'
# How OpenRouter's 403 differs where it is about what was said, and not about the key.
_MODERATED = ("error", "metadata", "reasons")


class _Erroneous(msgspec.Struct):
    """What is looked at of a whole answer."""

    error: Any = None


_decode_error = msgspec.json.Decoder(_Erroneous).decode


def message_of(body: bytes | str, fallback: str, hide: Hide = as_it_is) -> str:
    """Find the sentence in an error body, or give `fallback`. `hide` takes known keys out of it."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        found = _find(msgspec.json.decode(text), hide)
    except (msgspec.DecodeError, RecursionError):
        found = None if "<" in text[:64] else text.strip()
    return clean(found or fallback, hide)


def decode_body(body: bytes) -> Any:
    """Decode JSON, out of the list that Gemini puts around it; None if it is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found[0] if isinstance(found, list) and found else found


def find_error(body: bytes) -> Any:
    """Find the error that a server tells in the body of a 200; None: it is an answer."""
    if _ERROR not in body:
        return None
    try:
        return _decode_error(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # whoever reads the answer says what is wrong with it


def message_of_error(error: Any, fallback: str, hide: Hide = as_it_is) -> str:
    """Find the sentence in the `error` member of a stream event."""
    return clean(_find({"error": error}, hide) or fallback, hide)


def words_of(body: bytes, hide: Hide = as_it_is) -> tuple[str, str]:
    """Find (code, param) in an error body."""
    return words_of_error(_walk(decode_body(body), ("error",)), hide)


def words_of_error(error: Any, hide: Hide = as_it_is) -> tuple[str, str]:
    """Find OpenAI's words for programs, (code, param), in an error; numbers and sentences are none."""
    code, param = (_walk(error, (name,)) for name in ("code", "param"))
    return _word(code, hide), _word(param, hide)


def _word(said: Any, hide: Hide) -> str:
    return said if isinstance(said, str) and _IS_WORD.fullmatch(said) and clean(said, hide) == said else ""


def status_of_error(error: Any) -> int:
    """Find the status that an error event means: by a number, a word, or its text; else 500."""
    if isinstance(error, Mapping) and isinstance(error.get("error"), Mapping):
        error = error["error"]
    stated = _number_in(error) or _word_in(error) or DEFAULT_STATUS
    return _judge_failure(stated, _find({"error": error}) or "")


def status_of(status: int, body: bytes) -> int:
    """Judge a refusal's status by what its body says."""
    if status == 429 and b"insufficient_quota" in body:
        return 402  # waiting does not help, and another backend may
    if status == 400:
        return _judge_refusal(body)
    if status == 403 and _walk(decode_body(body), _MODERATED):
        return 400
    return _judge_failure(status, body.decode("utf-8", "replace")) if status == 500 else status


def _judge_refusal(body: bytes) -> int:
    """Find the status that a 400 means: some servers call a wrong key or an unknown model a bad request."""
    said = decode_body(body)
    folded = (_find(said) or "").lower()
    if any(sign in folded for sign in _NO_KEY):
        return 401
    word = _word_in(_walk(said, ("error",))) or _word_in(said)
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
    return None


def _word_in(error: Any) -> int | None:
    if isinstance(error, Mapping):
        for name in ("code", "status", "type", "error_type"):
            status = _WORDS.get(str(error.get(name, "")).lower())
            if status is not None:
                return status
    return None


def glimpse(body: bytes, hide: Hide = as_it_is) -> str:
    """Show an operator the beginning of what is no answer: the title of a page, or its first words."""
    text = body.decode("utf-8", "replace")
    title = _TITLE.search(text)
    return clean(title.group(1) if title else text[:LARGEST_QUOTE], hide)[:GLIMPSE]


def clean(text: str, hide: Hide = as_it_is) -> str:
    """Redact, fold white space and bound. Keys go first: one that is cut would not be known."""
    folded = " ".join(_SECRET.sub(MARK, hide(text[:LARGEST_QUOTE])).split())
    return folded if len(folded) <= MAX_MESSAGE else folded[: MAX_MESSAGE - 1] + "…"


def _find(body: Any, hide: Hide = as_it_is) -> str | None:
    if isinstance(body, list) and body:
        body = body[0]
    for path in _PATHS:
        found = _walk(body, path)
        if isinstance(found, str) and found.strip():
            return _with_quote(found, _walk(body, _QUOTE), hide)
    faults = (_walk(body, path) for path in _LISTS)
    return next((_join_faults(fault) for fault in faults if isinstance(fault, list) and fault), None)


def _with_quote(sentence: str, quoted: Any, hide: Hide) -> str:
    """Add what the server behind a gateway said, in its own JSON or as text."""
    if not isinstance(quoted, str) or not quoted.strip() or len(quoted) > LARGEST_QUOTE:
        return sentence
    inner = message_of(quoted, "", hide)
    return f"{sentence}: {inner}" if inner and inner not in sentence else sentence


def _join_faults(faults: list[Any]) -> str | None:
    """Say what is wrong, and where: without its place, "Field required" helps nobody."""
    told = []
    for fault in faults[:MOST_FAULTS]:
        place, text = _walk(fault, ("loc",)), _walk(fault, ("msg",))
        where = ".".join(str(step) for step in place if step != "body") if isinstance(place, list) else ""
        if isinstance(text, str):
            told.append(f"{where}: {text}" if where else text)
    return "; ".join(told) or None


def _walk(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
