"""The slow path: what strict JSON or our types refuse, read as far as it makes sense. Pure.

Python servers write NaN and unpaired surrogates, small ones send half a character as a token, and any member
may be of another type than documented. What is text is kept, what is nothing we can use counts as absent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import msgspec

from backends.wire.content_parts import MEMBERS
from backends.wire.openai_types import (
    BadReply,
    Choice,
    Delta,
    FunctionDelta,
    GroqExtra,
    Logprobs,
    Reply,
    ServerTimings,
    ToolCallDelta,
    Usage,
)

BOM = b"\xef\xbb\xbf"
# JSON has no infinity. OpenAI itself writes this for the probability of what cannot come.
NO_NUMBER = -9999.0

Members = dict[str, Any]


def loads(data: bytes) -> Any:
    """Parse what Python would: bad UTF-8 replaced, control characters in strings taken. Raises `BadReply`."""
    try:
        return json.loads(data.removeprefix(BOM).decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError) as error:  # also an integer of too many digits
        raise BadReply(str(error)) from None


def is_whole(data: bytes) -> bool:
    """Say whether the bytes are a JSON object or list from its first to its last byte."""
    if data[:1] not in (b"{", b"[") or data[-1:] not in (b"}", b"]"):
        return False
    try:
        loads(data)
    except BadReply:
        return False
    return True


def mend_surrogates(text: str) -> str:
    """Join surrogates that belong together, and replace those that are alone: they could not be written."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(value: Any, *, mend: bool = True) -> Any:
    """Make a parsed value writable: no surrogates alone (unless they are to be kept), no NaN."""
    if isinstance(value, str):
        return mend_surrogates(value) if mend else value
    if isinstance(value, float):
        return value if math.isfinite(value) else NO_NUMBER
    if isinstance(value, list):
        return [clean(item, mend=mend) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item, mend=mend) for name, item in value.items()}
    return value


def read(data: bytes) -> Reply:
    """Read a chunk or an answer. What is no object says nothing, unless it holds an error.

    Raises:
        BadReply: it is no JSON at all.
    """
    value = loads(data)
    if isinstance(value, list) and value and isinstance(value[0], dict) and value[0].get("error"):
        value = value[0]  # Gemini's errors come in a list
    try:
        return _reply(value) if isinstance(value, dict) else Reply()
    except RecursionError as error:
        raise BadReply(str(error)) from None


def _reply(value: Members) -> Reply:
    extra = value.get("x_groq")
    return Reply(
        choices=[_choice(choice) for choice in list_objects(value.get("choices"))] or None,
        usage=read_numbers(Usage, value.get("usage")),
        timings=read_numbers(ServerTimings, value.get("timings")),
        error=clean(value.get("error")),
        time_info=read_numbers(Usage, value.get("time_info")),
        x_groq=GroqExtra(read_numbers(Usage, extra.get("usage")), clean(extra.get("error")))
        if isinstance(extra, dict)
        else None,
    )


def _choice(value: Members) -> Choice:
    return Choice(
        delta=_delta(value.get("delta")),
        message=_delta(value.get("message")),
        text=read_text(value.get("text")),
        finish_reason=_reason(value.get("finish_reason")),
        logprobs=_logprobs(value.get("logprobs")),
        index=read_whole_number(value.get("index")) or 0,
        usage=read_numbers(Usage, value.get("usage")),
        error=clean(value.get("error")),
    )


def _delta(value: Any) -> Delta | None:
    if not isinstance(value, dict):
        return None
    content = value.get("content")
    if isinstance(content, dict):
        content = [content]
    return Delta(
        content=content if isinstance(content, list) else read_text(content),
        reasoning_content=read_text(value.get("reasoning_content")),
        reasoning=read_text(value.get("reasoning")),
        reasoning_text=read_text(value.get("reasoning_text")),
        thinking=read_text(value.get("thinking")),
        refusal=read_text(value.get("refusal")),
        tool_calls=[_call(call) for call in list_objects(value.get("tool_calls"))] or None,
        reasoning_details=clean(list_objects(value.get("reasoning_details"))) or None,
        thinking_blocks=list_objects(value.get("thinking_blocks")) or None,
        function_call=_function(value.get("function_call")),
    )


def _call(value: Members) -> ToolCallDelta:
    given = value.get("id")
    named = mend_surrogates(given) if isinstance(given, str) else read_whole_number(given)
    return ToolCallDelta(
        read_whole_number(value.get("index")),
        named,
        _function(value.get("function")),
        clean(value.get("extra_content")),
    )


def _function(value: Any) -> FunctionDelta | None:
    if not isinstance(value, dict):
        return None
    name, arguments = value.get("name"), value.get("arguments")
    return FunctionDelta(
        mend_surrogates(name) if isinstance(name, str) else None,
        clean(arguments) if isinstance(arguments, dict) else read_text(arguments),
    )


def _logprobs(value: Any) -> Logprobs | None:
    if not isinstance(value, dict):
        return None
    rows = (clean(value.get(name)) for name in ("tokens", "token_logprobs", "top_logprobs"))
    beside = [row if isinstance(row, list) else None for row in rows]
    found = Logprobs(clean(list_objects(value.get("content"))) or None, *beside)
    return found if found.content or found.tokens else None


def read_numbers(kind: type[msgspec.Struct], value: Any) -> Any:
    """Read numbers, also where they came as text; one that is none counts as absent."""
    if not isinstance(value, dict):
        return None
    names = (field.name for field in msgspec.structs.fields(kind))
    return kind(**{name: read_number(value.get(name)) for name in names})


def read_number(value: Any) -> int | float | None:
    """Read a number, also where it came as text; what is none is absent."""
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return number if isinstance(number, int) or math.isfinite(number) else None


def read_whole_number(value: Any) -> int | None:
    """Read a whole number, also where it came as text or with a fraction."""
    number = read_number(value)
    return None if number is None else int(number)


def list_objects(value: Any) -> list[Members]:
    """List the objects of a list; one alone is a list of one."""
    found = value if isinstance(value, list) else [value]
    return [item for item in found if isinstance(item, dict)]


def _reason(value: Any) -> str | None:
    """A reason that is no text is unknown, but it ends the answer."""
    if isinstance(value, dict):
        value = value.get("type")
    return mend_surrogates(value) if isinstance(value, str) else ("stop" if value else None)


def read_text(value: Any) -> str | None:
    """Keep text as it is: a surrogate may find its other half in the next chunk."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_texts(value))
    if isinstance(value, dict):
        return "".join(_texts(value)) or None
    return json.dumps(value)


def _texts(value: Any) -> Iterator[str]:
    """Give the texts of nested lists and parts in order: joined once, not once for each level."""
    rest = [value]
    while rest:
        inner = rest.pop()
        if isinstance(inner, dict):
            inner = next((found for name in MEMBERS if (found := inner.get(name))), None)
        if isinstance(inner, list):
            rest += reversed(inner)
        elif isinstance(inner, dict):
            rest.append(inner)
        else:
            yield read_text(inner) or ""
