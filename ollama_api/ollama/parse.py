"""Bytes to typed requests. Pure. Raises `BadRequest` with Ollama's words.

Well-behaved bodies take one pass of msgspec; everything else goes through `lax`, which is slower and as
forgiving as Ollama's decoder.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from gateway import counts, go_json
from gateway.durations import keep_alive_s
from gateway.errors import BadRequest
from gateway.go_json import GO_NAMES
from ollama_api.ollama.types import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    EmbeddingRequest,
    EmbedRequest,
    GenerateRequest,
    Message,
    PullRequest,
    PushRequest,
    ShowRequest,
)

StructT = TypeVar("StructT", bound=msgspec.Struct)

THINK_WORDS = frozenset({"high", "medium", "low", "max"})
NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=\r\n]")
OF_BASE64 = (string.ascii_letters + string.digits + "+/=\r\n").encode()
NO_LINE_BREAKS = str.maketrans("", "", "\r\n")

TOOL_FIELDS: dict[str, tuple[type, str]] = {
    "name": (str, "string"),
    "description": (str, "string"),
    "parameters": (dict, "api.ToolFunctionParameters"),
}

_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in GO_NAMES
}


def chat(body: bytes) -> ChatRequest:
    """Read the body of /api/chat."""
    return _read(body, ChatRequest, _check_chat)


def generate(body: bytes) -> GenerateRequest:
    """Read the body of /api/generate."""
    return _read(body, GenerateRequest, _check_generate)


def embed(body: bytes) -> EmbedRequest:
    """Read the body of /api/embed; `input` becomes a list of strings."""
    call = _read(body, EmbedRequest, _check_keep_alive)
    call.input = _inputs(call.input)
    return call


def embeddings(body: bytes) -> EmbeddingRequest:
    """Read the body of /api/embeddings."""
    return _read(body, EmbeddingRequest, _check_keep_alive)


def pull(body: bytes) -> PullRequest:
    """Read the body of /api/pull."""
    return _read(body, PullRequest)


def push(body: bytes) -> PushRequest:
    """Read the body of /api/push."""
    return _read(body, PushRequest)


def delete(body: bytes) -> DeleteRequest:
    """Read the body of /api/delete."""
    return _read(body, DeleteRequest)


def copy(body: bytes) -> CopyRequest:
    """Read the body of /api/copy."""
    return _read(body, CopyRequest)


def create(body: bytes) -> CreateRequest:
    """Read the body of /api/create."""
    return _read(body, CreateRequest, lambda call: _check_counts(call.messages or []))


def show(body: bytes) -> ShowRequest:
    """Read the body of /api/show."""
    return _read(body, ShowRequest)


def _read(body: bytes, kind: type[StructT], check: Callable[[StructT], None] = lambda call: None) -> StructT:
    """Take the fast path, and the slow one for what that cannot read.

    `check` may find that out too: the decoder skips raw JSON (`format`, `arguments`), and text in there that
    could not leave as UTF-8.
    """
    counts.check_values(body)
    try:
        found: StructT = _decoders[kind].decode(body)
        check(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = go_json.decode(body, kind)
        check(found)
    return found


def _check_chat(call: ChatRequest) -> None:
    _check_common(call)
    _check_counts(call.messages, ("tools", counts.MOST_TOOLS, len(call.tools)))
    for tool in call.tools:
        _check_tool(tool)
    for message in call.messages:
        message.role = message.role.lower()
        if message.name is not None:
            _take_name(message)
        _check_images(message.images)
        for tool_call in message.tool_calls:
            _check_arguments(tool_call.function.arguments)


def _take_name(message: Message) -> None:
    """Read the name of a tool's result in OpenAI's word for it; elsewhere it says nothing, as with Ollama."""
    if message.role == "tool" and isinstance(message.name, str):
        message.tool_name = message.tool_name or message.name
    message.name = None


def _check_counts(messages: list[Message], *more: tuple[str, int, int]) -> None:
    parts = sum(len(message.images) + len(message.tool_calls) for message in messages)
    counts.check_each(
        ("messages", counts.MOST_TURNS, len(messages)),
        ("images and tool calls", counts.MOST_PARTS, parts),
        *more,
    )


def _check_generate(call: GenerateRequest) -> None:
    _check_common(call)
    counts.check("images", counts.MOST_PARTS, len(call.images))
    _check_images(call.images)


def _check_keep_alive(call: EmbedRequest | EmbeddingRequest) -> None:
    keep_alive_s(call.keep_alive)


def _check_common(call: ChatRequest | GenerateRequest) -> None:
    if not 0 <= call.top_logprobs <= 20:
        raise BadRequest("top_logprobs must be between 0 and 20")
    if call.debug_render_only:
        raise BadRequest("_debug_render_only is not supported: this server has no template to show")
    if call.think is not None:
        _check_think(call.think)
    if call.keep_alive is not None:
        keep_alive_s(call.keep_alive)
    if call.format:
        msgspec.json.decode(call.format)


def _check_think(value: Any) -> None:
    if isinstance(value, bool):
        return
    if not isinstance(value, str):
        raise BadRequest('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    if value not in THINK_WORDS:
        text = msgspec.json.encode(value).decode()
        raise BadRequest(
            f'invalid think value: {text} (must be "high", "medium", "low", "max", true, or false)'
        )


def _check_images(images: list[str]) -> None:
    """Refuse what is no standard base64. Source: Go `encoding/base64`, CorruptInputError."""
    for image in images:
        if not image.isascii() or image.encode().translate(None, OF_BASE64):  # a tenth of a search's time
            wrong = NOT_BASE64.search(image)
            raise BadRequest(f"illegal base64 data at input byte {wrong.start() if wrong else 0}")
        letters = len(image) - image.count("\n") - image.count("\r")
        if letters % 4:
            raise BadRequest(f"illegal base64 data at input byte {letters - letters % 4}")
        end = image.find("=")
        if end >= 0 and image[end:].translate(NO_LINE_BREAKS) not in ("=", "=="):
            raise BadRequest(f"illegal base64 data at input byte {end}")


def _check_tool(tool: dict[str, Any]) -> None:
    """Refuse what Ollama could not decode and no backend takes. All else of a tool is passed on unread."""
    function = tool.get("function")
    if function is None:
        return
    if not isinstance(function, dict):
        raise BadRequest(go_json.misfit(function, "ChatRequest.tools.function", "api.ToolFunction"))
    for name, (kind, go_type) in TOOL_FIELDS.items():
        value = function.get(name)
        if value is not None and not isinstance(value, kind):
            raise BadRequest(go_json.misfit(value, f"ToolFunction.tools.function.{name}", go_type))


def _check_arguments(arguments: msgspec.Raw) -> None:
    found = msgspec.json.decode(arguments) if arguments else None
    if found is not None and not isinstance(found, dict):
        raise BadRequest("Value looks like object, but can't find closing '}' symbol")


def _inputs(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest("invalid input type")
    counts.check("texts", counts.MOST_TEXTS, len(value))
    return value
