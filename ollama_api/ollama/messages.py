"""Ollama's messages to OpenAI's: images, tool calls, and the ids that bind results to calls. Pure.

Ollama clients may send a `tool_call_id`, only a `tool_name`, or neither; OpenAI backends want every result to
name a call of the assistant turn before it. The ids made here follow from positions, so that the same
history gives the same bytes and a backend's prompt cache stays warm.
"""

from __future__ import annotations

import base64
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.translate.diagnostics import SILENT, Diagnostics
from ollama_api.ollama.types import Message, ToolCall

# How a file begins, in base64 -> its type. Source: the formats' magic numbers.
IMAGE_TYPES = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("Qk", "image/bmp"),
)
UNKNOWN_IMAGE_TYPE = "image/jpeg"
MP3_FRAMES = (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
ANY_CALL = ("any", "call")
BEGINNING = 16
"""Characters of base64: the twelve bytes that tell a sound from an image."""


def to_openai(
    messages: Iterable[Message], system: str, *, with_thinking: bool = False, notes: Diagnostics = SILENT
) -> list[dict[str, Any]]:
    """Translate a conversation. `system` goes first unless the conversation begins with a system message.

    `with_thinking`: what a client sends back of the thinking before a call goes along with the call.
    """
    linker = _Linker(notes, with_thinking=with_thinking)
    translated: list[dict[str, Any]] = []
    for turn, message in enumerate(messages):
        if message.role != "tool" or message.tool_calls:
            translated += linker.unanswered()
        translated.append(_message(turn, message, linker))
    translated += linker.unanswered()
    if system and not (translated and translated[0]["role"] == "system"):
        translated.insert(0, {"role": "system", "content": system})
    return translated


def content_with_images(text: str, images: list[str]) -> str | list[dict[str, Any]]:
    """Give plain text, or the text part followed by one part per image; sounds come as images, too."""
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    return parts + [_part(image.replace("\n", "").replace("\r", "")) for image in images]


def _part(encoded: str) -> dict[str, Any]:
    """Make the part for an image or a sound.

    Source: Ollama `llm/llama_server.go:llamaServerChatRequest`, which tells them apart by their bytes.
    """
    sound = _sound_format(base64.b64decode(encoded[:BEGINNING]))
    if sound:
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": sound}}
    return {"type": "image_url", "image_url": {"url": data_url(encoded)}}


def _sound_format(head: bytes) -> str:
    if head.startswith(b"RIFF") and head.endswith(b"WAVE"):
        return "wav"
    return "mp3" if head.startswith((b"ID3", *MP3_FRAMES)) else ""


def data_url(image: str) -> str:
    """Wrap base64 as a data URL with the sniffed type; line breaks inside go."""
    letters = image.replace("\n", "").replace("\r", "")
    kind = next((kind for magic, kind in IMAGE_TYPES if letters.startswith(magic)), UNKNOWN_IMAGE_TYPE)
    return f"data:{kind};base64,{letters}"


def _message(turn: int, message: Message, linker: _Linker) -> dict[str, Any]:
    if message.tool_calls:
        return _assistant_with_calls(turn, message, linker)
    if message.role == "tool":
        return _tool_result(message, linker)
    return {"role": message.role, "content": content_with_images(message.content, message.images)}


def _assistant_with_calls(turn: int, message: Message, linker: _Linker) -> dict[str, Any]:
    calls = [_call(turn, place, call) for place, call in enumerate(message.tool_calls)]
    linker.ask(calls)
    content = content_with_images(message.content, message.images)
    made = {"role": message.role, "content": content, "tool_calls": calls}
    if linker.with_thinking and message.thinking:
        made["reasoning_content"] = message.thinking
    return made


def _call(turn: int, place: int, call: ToolCall) -> dict[str, Any]:
    """A call as OpenAI writes it: arguments are text there."""
    arguments = bytes(call.function.arguments)
    if arguments in (b"null", b""):
        arguments = b"{}"
    function = {"name": call.function.name, "arguments": msgspec.json.format(arguments, indent=-1).decode()}
    return {"id": call.id or make_id(turn, place), "type": "function", "function": function}


def make_id(turn: int, place: int) -> str:
    """Make the id of a call that has none: nine letters and digits, which every backend accepts."""
    return f"c{turn % 100_000:05d}{place % 1000:03d}"


def _tool_result(message: Message, linker: _Linker) -> dict[str, Any]:
    call_id = linker.take(message.tool_call_id, message.tool_name)
    if call_id is None:
        # An id that matches nothing would be refused by the backend; the text is what the model needs.
        name = f" ({message.tool_name})" if message.tool_name else ""
        linker.notes.changed("messages", "messages", "a tool's result that answers no call: a user's turn")
        text = f"Tool result{name}: {message.content}"
        return {"role": "user", "content": content_with_images(text, message.images)}
    return {
        "role": "tool",
        "tool_call_id": call_id,
        "content": content_with_images(message.content, message.images),
    }


class _Linker:
    """The calls of the last assistant turn that have no result yet."""

    def __init__(self, notes: Diagnostics, *, with_thinking: bool) -> None:
        self.notes = notes
        self.with_thinking = with_thinking
        self._waiting: dict[tuple[str, str], deque[dict[str, Any]]] = {}
        """What a call may be found by -> such calls, in order, the answered ones among them."""
        self._answered: set[int] = set()

    def ask(self, calls: list[dict[str, Any]]) -> None:
        """Open the calls of a turn."""
        self._waiting, self._answered = defaultdict(deque), set()
        for call in calls:
            for handle in (("id", call["id"]), ("name", call["function"]["name"]), ANY_CALL):
                self._waiting[handle].append(call)

    def take(self, call_id: str, name: str) -> str | None:
        """Bind a result: by its id, else to the first open call of that name, else to the first open call."""
        for handle in (("id", call_id), ("name", name), ANY_CALL):
            waiting = self._waiting.get(handle) if handle[1] else None
            while waiting:
                call = waiting.popleft()
                if id(call) not in self._answered:
                    self._answered.add(id(call))
                    return str(call["id"])
        return None

    def unanswered(self) -> list[dict[str, Any]]:
        """Close the calls that nobody answered: many backends refuse a call without a result."""
        if not self._waiting:
            return []
        left = [call["id"] for call in self._waiting[ANY_CALL] if id(call) not in self._answered]
        self._waiting = {}
        if left:
            self.notes.added("messages", "an empty result for each tool call that has none")
        return [{"role": "tool", "tool_call_id": call_id, "content": ""} for call_id in left]
