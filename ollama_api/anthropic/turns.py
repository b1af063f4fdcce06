"""Anthropic's turns to OpenAI's messages. Pure.

A turn is a list of blocks there; here, tool results are messages of their own, which have to follow the
call at once, so they go before what the user says with them. Thinking stays with the calls behind it, for the
backends that want it back; others of its blocks are left out: OpenAI's format has no place for them, chat
templates drop them, and their signatures are Anthropic's secret.
Block types that nobody knows are left out, as Ollama does, and so that no block makes every later turn fail;
what was left out is told. Documents that are no text are files, which a kind of backend takes, or gets named.
Source: Ollama v0.33 `anthropic/anthropic.go:convertMessage`; Anthropic API reference, "Messages"; OpenAI API
reference, "Chat completions".
"""

from __future__ import annotations

import binascii
import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from gateway.errors import BadRequest
from gateway.translate.files import make_file_part, name_file
from gateway.translate.images import data_url
from gateway.translate.reasoning_replay import THOUGHT
from gateway.translate.system_turns import SYSTEM_ROLES
from ollama_api.anthropic.types import NOTHING, Block, Source, Turn

Part = dict[str, Any]

CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
RESULT = "tool_result"
IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,32}")
NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
LEFT_OUT = "left_out"
"""The type of a part that stands for a block that is not shown."""
MOST_LEFT_OUT = 20
MOST_OF_A_KIND = 40
UNKNOWN = "blocks of this type have no place in the conversation"
ALONE = "earlier thinking goes along with tool calls only"
NOT_HAD = "only text and files in the request can be shown, so it is named"
ARGUMENTS_NO_OBJECT = "Value looks like object, but can't find closing '}' symbol"

_blocks = msgspec.json.Decoder(list[Block | None])
_source = msgspec.json.Decoder(Source | None)


LeftOut = dict[str, str]
"""What was left out -> why."""


def to_openai(turns: Iterable[Turn | None], left_out: LeftOut | None = None) -> list[dict[str, Any]]:
    """Translate a conversation. Turns that say nothing are left out; `left_out` is told of other things.

    Raises:
        BadRequest: a block is not what its type promises.
        msgspec.DecodeError: raw JSON inside a block is not what the format has there.
    """
    conversation = _Conversation({} if left_out is None else left_out)
    for turn in turns:
        conversation.add(turn or Turn())
    return conversation.whole()


class _Conversation:
    """The messages so far, and the turn that is being read."""

    def __init__(self, left_out: LeftOut) -> None:
        self.messages: list[dict[str, Any]] = []
        self._left_out = left_out
        self._role = ""
        self._parts: list[Part] = []
        self._calls: list[dict[str, Any]] = []
        self._thoughts: list[str] = []
        self._open: set[str] = set()
        """Calls of the message before that have no result yet."""
        self._named: dict[str, deque[str]] = {}
        """Tool -> its calls in that message, in order."""
        self._late: list[Turn] = []
        self._answers = False
        """Whether the turn that is being read has begun to answer them."""

    def whole(self) -> list[dict[str, Any]]:
        self._flush()
        self._add_late()
        return self.messages

    def add(self, turn: Turn) -> None:
        role = (turn.role or "").lower()
        if role in SYSTEM_ROLES and self._open:
            self._late.append(turn)  # nothing may stand between calls and their results
            return
        if role != self._role:
            self._flush()
        self._role = role
        if isinstance(turn.content, str):
            self._parts += _text(turn.content)
        else:
            for block in turn.content or ():
                self._take(block or Block())
        if not (self._answers and self._open):  # else the next turn may hold the other results
            self._flush()
            if role != "assistant":
                self._add_late()

    def _add_late(self) -> None:
        """Add the system turns that waited for results."""
        late, self._late, self._open = self._late, [], set()
        for turn in late:
            self.add(turn)

    def _take(self, block: Block) -> None:
        kind = block.type or ""
        if kind in CALLS:
            self._calls.append(_call(block))
        elif kind == "thinking":
            self._thoughts += filter(None, [block.thinking])
        elif kind.endswith(RESULT):
            self._take_result(block)
        else:
            self._parts += self._sort_out(_parts(block))

    def _sort_out(self, parts: list[Part]) -> list[Part]:
        """Give the parts that are shown, and note what was left out, once a kind."""
        for part in parts:
            if part["type"] == LEFT_OUT and len(self._left_out) < MOST_LEFT_OUT:
                self._left_out.setdefault(f"messages.{part['kind']}", part["why"])
        return [part for part in parts if part["type"] != LEFT_OUT]

    def _take_result(self, block: Block) -> None:
        """Add a result. Only text may stand in it; its images are shown right after, by its name."""
        if self._role == "assistant":
            self._flush()  # a tool that a server ran: call, result and answer share a turn
        call_id = block.tool_use_id or self._find_call(block.tool_name or block.name)
        text, images = self._read_result(block)
        if call_id in self._open:
            self._open.discard(call_id)
            self._answers = True
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        else:
            # An id that matches nothing would be refused by the backend; the text is what the model needs.
            self._parts += _text(f"Tool result: {text}")
        if images:
            what = "Document" if all(part["type"] == "file" for part in images) else "Image"
            self._parts += [*_text(f"{what} in tool result {call_id}:"), *images]

    def _find_call(self, name: str | None) -> str:
        """Find the first open call of a tool, for a result that names no call."""
        waiting = self._named.get(name or "")
        while waiting:
            call_id = waiting.popleft()
            if call_id in self._open:
                return call_id
        return ""

    def _read_result(self, block: Block) -> tuple[str, list[Part]]:
        """Give (text, images and files) of a result."""
        if block.type == RESULT:
            parts = self._sort_out(_inner_parts(block.content, "tool_result "))
        else:
            parts = _text(_server_result(_any(block.content)))
        texts = [part["text"] for part in parts if part["type"] == "text"]
        if block.is_error:
            texts = ["Error: " + "\n".join(texts)]  # OpenAI's format has no flag for it
        return "\n".join(texts), [part for part in parts if part["type"] != "text"]

    def _flush(self) -> None:
        if self._parts or self._calls:
            message: dict[str, Any] = {"role": self._role, "content": _content(self._parts, self._role)}
            if self._calls:
                message["tool_calls"] = self._calls
                if self._thoughts:
                    message[THOUGHT] = "".join(self._thoughts)
            elif self._thoughts:
                self._left_out.setdefault("messages.thinking", ALONE)
            self.messages.append(message)
            self._open = {call["id"] for call in self._calls}
            self._named = {}
            for call in self._calls:
                self._named.setdefault(call["function"]["name"], deque()).append(call["id"])
            self._parts, self._calls = [], []
        self._thoughts, self._answers = [], False


def _content(parts: list[Part], role: str) -> str | list[Part]:
    """Give plain text if there is only that, which every chat template takes.

    What a model said is joined as it was cut; separate things that a user says stay apart.
    """
    if any(part["type"] != "text" for part in parts):
        return parts
    return ("" if role == "assistant" else "\n").join(part["text"] for part in parts)


def _call(block: Block) -> dict[str, Any]:
    for name in ("id", "name"):
        if not getattr(block, name):
            raise BadRequest(f"{block.type} block missing required '{name}' field")
    function = {"name": block.name, "arguments": _arguments(block.input)}
    return {"id": block.id, "type": "function", "function": function}


def _arguments(raw: msgspec.Raw) -> str:
    """Give the input as text, byte for byte but for white space between the tokens."""
    value = _any(raw)
    if value is None:
        return "{}"
    if not isinstance(value, dict):
        raise BadRequest(ARGUMENTS_NO_OBJECT)
    return msgspec.json.format(bytes(raw), indent=-1).decode()


def _server_result(content: Any) -> str:
    """Write what a server's tool found: search results as Ollama writes them, all else as JSON."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, dict) and content.get("type") == "web_search_tool_result_error":
        return ": ".join(filter(None, ("web_search_tool_result_error", content.get("error_code"))))
    if isinstance(content, list) and all(_is_search_hit(item) for item in content):
        return "".join(f"- {item.get('title')}: {item.get('url')}\n" for item in content)
    return msgspec.json.encode(content).decode()


def _is_search_hit(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "web_search_result"


def _parts(block: Block, inside: str = "") -> list[Part]:
    """Give the OpenAI parts of a block that shows something; `inside` is for the error's text."""
    kind = block.type or ""
    reader = READERS.get(kind)
    return reader(block, inside) if reader is not None else _leave_out(kind, UNKNOWN)


def _leave_out(kind: str, why: str) -> list[Part]:
    """Stand for a block that is not shown, so that it is told."""
    return [{"type": LEFT_OUT, "kind": kind[:MOST_OF_A_KIND], "why": why}]


def _inner_parts(raw: msgspec.Raw, inside: str) -> list[Part]:
    """Give the parts of nested content: a string, or blocks."""
    if bytes(memoryview(raw)[:1]) == b"[":
        return [part for block in _blocks.decode(raw) for part in _parts(block or Block(), inside)]
    value = _any(raw)
    return _text(value) if isinstance(value, str) else []


def _text(text: str | None) -> list[Part]:
    return [{"type": "text", "text": text}] if text else []


def _text_block(block: Block, _inside: str) -> list[Part]:
    return _text(block.text)


def _image_block(block: Block, inside: str) -> list[Part]:
    source = _source_of(block, f"invalid {inside}image source")
    if source.type != "base64":
        raise BadRequest(f"invalid image source type: {source.type or ''}. Only base64 images are supported.")
    return [{"type": "image_url", "image_url": {"url": _image_url(source)}}]


def _document_block(block: Block, inside: str) -> list[Part]:
    """Give the text of a document, or the file. One that cannot be had is named: no later turn may fail."""
    source = _source_of(block, "invalid document source")
    if source.type == "text":
        return _text(block.title) + _text(source.data)
    if source.type == "content":
        return _text(block.title) + _inner_parts(source.content, inside)
    data = _decode_file(source)
    if data and (source.media_type or "").startswith("text/"):
        return _text(block.title) + _text(data.decode("utf-8", "replace"))
    if data:
        return [make_file_part(block.title, source.media_type, source.data or "")]
    where = f"{source.type} {source.url or source.file_id or ''}".strip()
    return [*_text(name_file(block.title or where)), *_leave_out("document", f"{NOT_HAD}: {source.type}")]


def _decode_file(source: Source) -> bytes:
    """Give the bytes of a document; none, if there are none, or they are not in base64."""
    try:
        return binascii.a2b_base64(source.data or "") if source.type == "base64" else b""
    except ValueError:
        return b""


def _search_result_block(block: Block, inside: str) -> list[Part]:
    where = _any(block.source)
    found = _text(block.title) + _text(where if isinstance(where, str) else "")
    return found + _inner_parts(block.content, inside)


def _reference_block(block: Block, _inside: str) -> list[Part]:
    """Name a tool that a search of the client's found."""
    return _text(block.tool_name)


READERS: dict[str, Callable[[Block, str], list[Part]]] = {
    "text": _text_block,
    "image": _image_block,
    "document": _document_block,
    "search_result": _search_result_block,
    "tool_reference": _reference_block,
}


def _source_of(block: Block, refusal: str) -> Source:
    try:
        source: Source | None = _source.decode(block.source) if block.source != NOTHING else None
    except msgspec.ValidationError:
        source = None
    if source is None:
        raise BadRequest(refusal)
    return source


def _image_url(source: Source) -> str:
    """Make a data URL of the type that the client says, or of the one that the bytes show."""
    letters = (source.data or "").replace("\n", "").replace("\r", "")
    _check_base64(letters)
    if IMAGE_TYPE.fullmatch(source.media_type or ""):
        return f"data:{source.media_type};base64,{letters}"
    return data_url(letters)


def _check_base64(letters: str) -> None:
    """Refuse what is no standard base64. Source: Go `encoding/base64`, CorruptInputError."""
    try:
        binascii.a2b_base64(letters, strict_mode=True)
    except ValueError:
        wrong = NOT_BASE64.search(letters) or re.search("=", letters)
        place = wrong.start() if wrong else len(letters) - len(letters) % 4
        raise BadRequest(f"invalid base64 image data: illegal base64 data at input byte {place}") from None


def _any(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw) if raw != NOTHING else None
