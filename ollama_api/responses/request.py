"""The Responses API's input to the messages of a chat completion. Pure.

A chat completion wants one assistant turn for what the Responses API lists as items of their own: a message
and the calls beside it. Source: OpenAI API reference, "Responses", and Ollama `openai/responses.go`, whose
sentences these are where it has one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from itertools import dropwhile
from typing import Any

from gateway.errors import BadRequest
from gateway.translate.images import data_url
from gateway.translate.reasoning_replay import THOUGHT
from ollama_api.responses.thoughts import read_thinking
from ollama_api.responses.tools import FUNCTIONS_ONLY, arguments_of, make_function_name

NO_FILES = "file inputs are not currently supported"
NO_URLS = "image URLs are not currently supported, please use base64 encoded data instead"
NO_IMAGE = "invalid image input"
NOT_KEPT = "this server keeps no responses, so there is nothing to refer to: send the item itself"

# How the items end that tell of a tool which is no function, such as web_search_call.
FOREIGN = ("_call", "_call_output", "_list_tools")
# Every backend knows `system`, few know `developer`, and those read the former as the latter.
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
TEXT_PARTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
DATA_URL = re.compile(r"data:(image/[\w.+-]+)?;base64,", re.IGNORECASE)
DETAILS = frozenset({"low", "high"})

Item = dict[str, Any]
Message = dict[str, Any]
Content = str | list[dict[str, Any]]


class Misfit(ValueError):
    """An item is not what it should be. The place is added by who knows it."""


def to_messages(given: Any) -> list[Message]:
    """Translate text or items. Raises `BadRequest`."""
    if given is None or given == "" or given == []:
        raise BadRequest("input is required")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise BadRequest("input must be a string or array")
    conversation = _Conversation()
    for place, item in enumerate(given):
        try:
            _reader(item)(conversation, item)
        except Misfit as misfit:
            raise BadRequest(f"input[{place}]: {misfit}") from None
    return conversation.whole()


def split_system(messages: list[Message], instructions: str | None) -> tuple[str, list[Message]]:
    """Give what instructs the model, as one text, since many templates take no second one; and the rest."""
    texts = [instructions] if instructions else []
    begin = next((place for place, turn in enumerate(messages) if turn["role"] != "system"), len(messages))
    texts += [turn["content"] for turn in messages[:begin]]
    return "\n\n".join(texts), messages[begin:]


class _Conversation:
    """The messages so far, and the calls that a result may name."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._called: set[str] = set()
        self._thoughts: list[str] = []
        """Of the turn at the end, until a call comes."""
        # Of that turn, once it has calls; joined when the turn is over.
        self._said: list[str] = []
        self._thought: list[str] = []
        self._images: list[dict[str, Any]] = []
        """Of the results at the end, where only text may stand."""

    def add(self, message: Message) -> None:
        """Add a message, behind the images of the results before it."""
        self._settle()
        if self._images:
            self._messages.append({"role": "user", "content": self._images})
            self._images = []
        self._messages.append(message)
        if message["role"] != "assistant":
            self._thoughts = []

    def say(self, text: str) -> None:
        """Add what the assistant said. Between calls and their results no message may stand."""
        last = self._messages[-1] if self._messages else {}
        if "tool_calls" in last:
            self._said.append(text)
        else:
            self.add({"role": "assistant", "content": text})

    def call(self, call_id: str, function: dict[str, str]) -> None:
        """Add a call to the assistant's turn at the end, begun if need be."""
        if not self._messages or self._messages[-1]["role"] != "assistant":
            self.add({"role": "assistant", "content": ""})
        call = {"id": call_id, "type": "function", "function": function}
        turn = self._messages[-1]
        turn.setdefault("tool_calls", []).append(call)
        if self._thoughts:
            self._thought += self._thoughts
            self._thoughts = []
        self._called.add(call_id)

    def think(self, texts: list[str]) -> None:
        """Keep what was thought for the calls behind it."""
        self._thoughts += filter(None, texts)

    def answer(self, call_id: str, content: Content) -> None:
        """Add a result, and keep its images for the message behind it and its neighbours."""
        if call_id not in self._called:
            raise Misfit(f'no function_call with call_id "{call_id}" comes before its function_call_output')
        self._settle()
        parts = [] if isinstance(content, str) else content
        images = [part for part in parts if part["type"] != "text"]
        text = content if isinstance(content, str) else _join_parts(parts)
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        if images:
            self._images += [{"type": "text", "text": f"Image in tool result {call_id}:"}, *images]

    def _settle(self) -> None:
        """Complete the turn at the end: what was said and thought beside its calls is joined once."""
        if self._said:
            turn = self._messages[-1]
            texts = dropwhile(operator.not_, [turn["content"], *self._said])
            turn["content"] = "\n".join(texts)
            self._said = []
        if self._thought:
            self._messages[-1][THOUGHT] = "".join(self._thought)
            self._thought = []

    def whole(self) -> list[Message]:
        """Give the messages."""
        self._settle()
        images: list[Message] = [{"role": "user", "content": self._images}] if self._images else []
        return self._messages + images


Reader = Callable[[_Conversation, Item], None]


def _reader(item: Any) -> Reader:
    if not isinstance(item, dict):
        raise Misfit("an input item must be an object")
    kind = item.get("type") or ("message" if item.get("role") else None)
    if kind is None:
        raise Misfit("input item missing required 'type' field")
    reader = READERS.get(str(kind))
    if reader is not None:
        return reader
    if str(kind).endswith(FOREIGN):
        raise Misfit(f"{kind} is not supported: {FUNCTIONS_ONLY}")
    raise Misfit(f'unknown input item type: "{kind}"')


def _message(conversation: _Conversation, item: Item) -> None:
    role = ROLES.get(str(item.get("role")))
    if role is None:
        raise Misfit(f'unknown role: "{item.get("role")}"')
    content = _content(item.get("content"), "content")
    if role == "user":
        conversation.add({"role": role, "content": content})
        return
    if not isinstance(content, str):
        raise Misfit(f'a message with the role "{role}" can hold text only')
    if role == "assistant":
        conversation.say(content)
    else:
        conversation.add({"role": role, "content": content})


def _function_call(conversation: _Conversation, item: Item) -> None:
    call_id, name = _text(item, "call_id"), _text(item, "name")
    arguments = item.get("arguments") or "{}"
    if not isinstance(arguments, str):
        raise Misfit("arguments must be a string")
    conversation.call(
        call_id, {"name": make_function_name(item.get("namespace"), name), "arguments": arguments}
    )


def _custom_tool_call(conversation: _Conversation, item: Item) -> None:
    call_id, name = _text(item, "call_id"), _text(item, "name")
    text = item.get("input") or ""
    if not isinstance(text, str):
        raise Misfit("input must be a string")
    conversation.call(
        call_id, {"name": make_function_name(item.get("namespace"), name), "arguments": arguments_of(text)}
    )


def _output(conversation: _Conversation, item: Item) -> None:
    call_id = _text(item, "call_id")
    conversation.answer(call_id, _content(item.get("output"), "output"))


def _reasoning(conversation: _Conversation, item: Item) -> None:
    """Read what was thought, from where it stands in plain text; what OpenAI sealed is its own secret."""
    lists = [item[name] for name in ("summary", "content") if isinstance(item.get(name), list)]
    texts = [part.get("text") for parts in lists for part in parts if isinstance(part, dict)]
    thoughts = [text for text in texts if isinstance(text, str) and text]
    conversation.think(thoughts or [read_thinking(item.get("encrypted_content"))])


def _skip_item(conversation: _Conversation, item: Item) -> None:
    """Leave it out: what a search found stands in the message behind it, and tools are read elsewhere."""


def _refuse_item(conversation: _Conversation, item: Item) -> None:
    raise Misfit(NOT_KEPT)


READERS: dict[str, Reader] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call": _custom_tool_call,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
    "web_search_call": _skip_item,
    "additional_tools": _skip_item,
    "item_reference": _refuse_item,
}


def _text(item: Item, field: str) -> str:
    value = item.get(field)
    if not isinstance(value, str) or not value:
        raise Misfit(f"{item['type']} requires {field}")
    return value


def _content(value: Any, field: str) -> Content:
    """Read text, or parts: as one text, or as parts again if there are images among them."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise Misfit(f"{field} must be a string or array")
    parts: list[dict[str, Any]] = []
    for place, part in enumerate(value):
        try:
            parts.append(_part(part))
        except Misfit as misfit:
            raise Misfit(f"{field}[{place}]: {misfit}") from None
    return _join_parts(parts) if all(part["type"] == "text" for part in parts) else parts


def _join_parts(parts: list[dict[str, Any]]) -> str:
    return "".join(part["text"] for part in parts if part["type"] == "text")


def _part(part: Any) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise Misfit("a content part must be an object")
    kind = str(part.get("type"))
    if kind == "input_image":
        return _image(part)
    if kind == "input_file":
        raise BadRequest(NO_FILES)
    field = TEXT_PARTS.get(kind)
    if field is None:
        raise Misfit(f"unknown content type: {kind}")
    text = part.get(field)
    if not isinstance(text, str):
        raise Misfit(f"{kind} requires {field}")
    return {"type": "text", "text": text}


def _image(part: dict[str, Any]) -> dict[str, Any]:
    url = part.get("image_url")
    if not url:
        raise BadRequest(NO_FILES if part.get("file_id") else NO_IMAGE)
    if not isinstance(url, str):
        raise BadRequest(NO_IMAGE)
    if url[:8].lower().startswith(("http://", "https://")):
        raise BadRequest(NO_URLS)
    head = DATA_URL.match(url)
    if head is None:
        raise BadRequest(NO_IMAGE)
    image = {"url": url if head.group(1) else data_url(url[head.end() :])}
    detail = part.get("detail")
    if isinstance(detail, str) and detail in DETAILS:
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}
