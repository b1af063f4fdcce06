"""Where the sentence of a backend's error hides, in any of its many shapes, and the words for programs. Pure.

The sentence is fit for a client: bounded, one line, without URLs, keys or HTML.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from backends.wire.redaction import MARK, Hide, as_it_is

MAX_MESSAGE = 500
GLIMPSE = 200
LARGEST_QUOTE = 8 * 1024
MOST_FAULTS = 3
DEEPEST_QUOTE = 3
"""How many errors may be told inside each other's sentences."""

# What looks like a key; keys that are known are taken out before, whatever they look like.
_SECRET = re.compile(
    r"\b(?:(?:sk|pk|gsk|org|proj|key|nvapi|xai|hf|fw|tgp|pplx|lg|ghp|glpat)[-_]|AIza|Bearer +|Basic +)"
    r"[A-Za-z0-9_\-*.+/=]{8,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+|https?://\S+",
    re.IGNORECASE,
)
_IS_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,99}")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_PHRASES = frozenset(status.phrase.lower() for status in HTTPStatus) | {"error", "internal_server_error"}
"""Sentences that say no more than the status does."""
# Where the sentence hides, first hit wins: OpenAI, flat shapes, FastAPI, API management fronts. In any case.
_PATHS = (
    ("error", "message"),
    ("error", "message", "detail"),
    ("error", "error", "message"),
    ("error", "error_message"),
    ("error", "detail"),
    ("error", "error"),
    ("error", "msg"),
    ("error",),
    ("message",),
    ("message", "detail"),
    ("detail",),
    ("detail", "message"),
    ("detail", "error", "message"),
    ("detail", "error"),
    ("fault", "faultstring"),
    ("msg",),
    ("err",),
    ("error_msg",),
    ("error_message",),
    ("errormessage",),
    ("error_description",),
    ("header", "message"),
    ("response", "error", "message"),
    ("base_resp", "status_msg"),
)
# Where several faults are listed: by FastAPI with a place, `loc`, and a text, `msg`; by others as they like.
_LISTS = (
    ("detail",),
    ("message", "detail"),
    ("error", "message", "detail"),
    ("error", "message"),
    ("error", "errors"),
    ("error", "issues"),
    ("errors",),
    ("issues",),
    ("error",),
    ("message",),
)
_TEXTS = ("msg", "message", "detail", "description", "title", "error", "reason")
_PLACES = ("loc", "path", "field", "property", "instancepath")
_CODES = ("code", "error_code", "errorcode")
# Where a gateway quotes the server behind it. OpenRouter's own sentence is "Provider returned error".
_QUOTE = ("error", "metadata", "raw")


def message_of(body: bytes | str, fallback: str, hide: Hide = as_it_is) -> str:
    """Find the sentence in an error body, or give `fallback`. `hide` takes known keys out of it."""
    text = _without_framing(body.decode("utf-8", "replace") if isinstance(body, bytes) else body)
    try:
        found = find_sentence(msgspec.json.decode(text), hide)
    except (msgspec.DecodeError, RecursionError):
        found = None if "<" in text[:64] else _unwrap(text.strip(), hide, 1)
    return clean(found or fallback, hide)


def decode_body(body: bytes) -> Any:
    """Decode JSON, out of the list that Gemini puts around it; None if it is none."""
    try:
        found = msgspec.json.decode(_without_framing(body.decode("utf-8", "replace")))
    except (msgspec.DecodeError, RecursionError):
        return None
    return found[0] if isinstance(found, list) and found else found


def _without_framing(text: str) -> str:
    """Take an error out of the event that it is told in, as by servers that were asked for a stream."""
    if not text.startswith(("data:", "event:")):
        return text
    lines = text[: 2 * LARGEST_QUOTE].splitlines()
    return next((line[5:] for line in lines if line.startswith("data:")), text)


def message_of_error(error: Any, fallback: str, hide: Hide = as_it_is) -> str:
    """Find the sentence in the `error` member of a stream event."""
    return clean(sentence_of_error(error, hide) or fallback, hide)


def sentence_of_error(error: Any, hide: Hide = as_it_is) -> str | None:
    """Find the sentence in an error, be it one's `error` member or one that is told without it."""
    return find_sentence({"error": error}, hide) or find_sentence(error, hide)


def words_of(body: bytes, hide: Hide = as_it_is) -> tuple[str, str]:
    """Find (code, param) in an error body."""
    decoded = decode_body(body)
    error = walk(decoded, ("error",))
    return words_of_error(error if isinstance(error, dict | str) else decoded, hide)


def words_of_error(error: Any, hide: Hide = as_it_is) -> tuple[str, str]:
    """Find OpenAI's words for programs, (code, param), in an error; numbers and sentences are none."""
    code = param = ""
    for members in _tellers(error):
        code = code or next((word for name in _CODES if (word := _word(walk(members, (name,)), hide))), "")
        param = param or _word(walk(members, ("param",)), hide)
    return code, param


def _tellers(error: Any) -> Iterator[Any]:
    """Give what may hold the words: the error, what stands in it, the error that is its whole sentence."""
    yield error
    for path in (("error",), ("errors", 0), ("fault", "detail"), ("detail",)):
        yield walk(error, path)
    for sentence in (error, walk(error, ("message",)), walk(error, ("detail",))):
        if not isinstance(sentence, str) or sentence[:1] not in ("{", "["):
            continue
        inner = decode_body(sentence[:LARGEST_QUOTE].encode("utf-8", "replace"))
        yield walk(inner, ("error",))
        yield inner


def _word(value: Any, hide: Hide) -> str:
    return (
        value if isinstance(value, str) and _IS_WORD.fullmatch(value) and clean(value, hide) == value else ""
    )


def glimpse(body: bytes, hide: Hide = as_it_is) -> str:
    """Show an operator the beginning of what is no answer: the title of a page, or its first words."""
    text = body.decode("utf-8", "replace")
    title = _TITLE.search(text)
    return clean(title.group(1) if title else text[:LARGEST_QUOTE], hide)[:GLIMPSE]


def clean(text: str, hide: Hide = as_it_is) -> str:
    """Redact, fold white space and bound. Keys go first: one that is cut would not be known."""
    folded = " ".join(_SECRET.sub(MARK, hide(text[:LARGEST_QUOTE])).split())
    return folded if len(folded) <= MAX_MESSAGE else folded[: MAX_MESSAGE - 1] + "…"


def find_sentence(body: Any, hide: Hide = as_it_is, depth: int = 0) -> str | None:
    """Find the sentence in a decoded body: one that says more than the status does, if there is one."""
    if isinstance(body, list) and body and not _is_list_of_faults(body):
        body = body[0]
    phrase = None
    for path in _PATHS:
        found = walk(body, path)
        if isinstance(found, str) and found.strip():
            if found.strip().lower() not in _PHRASES:
                return _with_quote(_unwrap(found, hide, depth + 1), walk(body, _QUOTE), hide)
            phrase = phrase or found
    faults = [body] if isinstance(body, list) else [_list_faults(walk(body, path), path) for path in _LISTS]
    sentence = next((sentence for fault in faults if (sentence := _join_faults(fault))), None)
    title = walk(body, ("title",))
    return sentence or phrase or (title if isinstance(title, str) else None)


def _list_faults(value: Any, path: tuple[str, ...]) -> list[Any]:
    """Bring what stands at a place for several faults into a list; some servers tell them by field."""
    if isinstance(value, dict) and path[-1] == "errors":
        return [
            {"loc": [name], "msg": walk(of, (0,)) if isinstance(of, list) else of}
            for name, of in value.items()
        ]
    return value if isinstance(value, list) else []


def _unwrap(sentence: str, hide: Hide, depth: int) -> str:
    """Give the sentence of the error that a sentence holds as JSON or as Python writes it, else itself."""
    if depth > DEEPEST_QUOTE or len(sentence) > LARGEST_QUOTE:
        return sentence
    starts = [place for bracket in "{[" if (place := sentence.find(bracket)) >= 0]
    end = max(sentence.rfind("}"), sentence.rfind("]")) + 1
    inner = _decode_quote(sentence[min(starts) : end]) if starts else None
    if not (_is_error(inner) or _is_list_of_faults(inner)):
        return sentence
    return find_sentence(inner, hide, depth) or sentence


def _decode_quote(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:  # "Error code: 400 - {'error': {...}}", as OpenAI's library for Python words what it raises
        return ast.literal_eval(text) if text.startswith("{'") else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _is_error(value: Any) -> bool:
    """Say whether an object that a sentence holds is an error, and not part of what was asked."""
    if not isinstance(value, dict):
        return False
    is_plain = isinstance(value.get("message", value.get("msg")), str)
    return bool(value.get("error")) or (
        is_plain and bool(value.keys() & {"code", "type", "status", "object"})
    )


def _is_list_of_faults(value: Any) -> bool:
    """Say whether this is a list of issues, as schema libraries tell them."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(item, dict) and _text_of(item) and item.keys() & {"path", "loc"} for item in value[:5]
        )
    )


def _with_quote(sentence: str, quoted: Any, hide: Hide) -> str:
    """Add what the server behind a gateway said, in its own JSON or as text."""
    if not isinstance(quoted, str) or not quoted.strip() or len(quoted) > LARGEST_QUOTE:
        return sentence
    inner = message_of(quoted, "", hide)
    return f"{sentence}: {inner}" if inner and inner not in sentence else sentence


def _join_faults(faults: list[Any]) -> str | None:
    """Say what is wrong, and where: without its place, "Field required" helps nobody."""
    sentences = [_describe_fault(fault) for fault in faults[:MOST_FAULTS]]
    return "; ".join(text for text in sentences if text) or None


def _describe_fault(fault: Any) -> str:
    if isinstance(fault, str):
        return fault.strip()
    text, place = _text_of(fault), _place_of(fault)
    return f"{place}: {text}" if place and text else text


def _text_of(fault: Any) -> str:
    texts = (walk(fault, (name,)) for name in _TEXTS)
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


def _place_of(fault: Any) -> str:
    places = (walk(fault, (name,)) for name in _PLACES)
    place = next((place for place in places if place), "")
    if isinstance(place, list):
        return ".".join(str(step) for step in place if step != "body")
    return place.strip("/").replace("/", ".") if isinstance(place, str) else ""


def walk(value: Any, path: tuple[str | int, ...]) -> Any:
    """Follow a path, in any case of letters; None when it ends early."""
    for step in path:
        if isinstance(value, dict) and step not in value and isinstance(step, str):
            step = next((name for name in value if isinstance(name, str) and name.lower() == step), step)
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
