"""What the fake model says: deltas and a finish reason, from which both forms of an answer are made."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .records import Json, Request
from .schemas import sample

REPLY_TEXT = "Hello from the fake backend."
_FRAGMENT_CHARS = 8


@dataclass(frozen=True)
class Reply:
    """One turn of the model as it is streamed, without the role chunk and the finish chunk."""

    deltas: tuple[Json, ...]
    finish_reason: str = "stop"

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def message(self) -> Json:
        """The deltas merged to the message of a whole answer."""
        message: Json = {"role": "assistant", "content": None}
        for name, value in ((n, v) for delta in self.deltas for n, v in delta.items()):
            if isinstance(value, str):
                message[name] = (message.get(name) or "") + value
        if calls := self._tool_calls():
            message["tool_calls"] = calls
        return message

    @property
    def reasoning_tokens(self) -> int:
        return sum(1 for delta in self.deltas if "content" not in delta and "tool_calls" not in delta)

    def _tool_calls(self) -> list[Json]:
        calls: dict[str, Json] = {}
        latest: dict[int, str] = {}
        for fragment in (part for delta in self.deltas for part in delta.get("tool_calls") or ()):
            key = latest[fragment["index"]] = fragment.get("id") or latest[fragment["index"]]
            call = calls.setdefault(key, {"id": key, "type": "function", "function": {"arguments": ""}})
            function = fragment["function"]
            call["function"].setdefault("name", function.get("name"))
            call["function"]["arguments"] += function.get("arguments", "")
        return list(calls.values())


def words(text: str) -> list[str]:
    """Cut a text into words with the white space after them; joined they are the text."""
    return re.findall(r"\S+\s*|\s+", text)


def say(text: str, finish_reason: str = "stop") -> Reply:
    """Reply with a text, a word at a time."""
    return Reply(tuple({"content": word} for word in words(text)), finish_reason)


def call_fragments(name: str, arguments: str, *, index: int = 0, call_id: str = "") -> Iterator[Json]:
    """Write one tool call as the deltas of a stream: a header, then the arguments in pieces."""
    header = {"name": name, "arguments": ""}
    yield _fragment(
        {"index": index, "id": call_id or f"call_{index}", "type": "function", "function": header}
    )
    for start in range(0, len(arguments), _FRAGMENT_CHARS):
        piece = {"arguments": arguments[start : start + _FRAGMENT_CHARS]}
        yield _fragment({"index": index, "function": piece})


def _fragment(call: Json) -> Json:
    return {"tool_calls": [call]}


def reply_to(request: Request) -> Reply:
    """Say the fixed reply, echo, or call a tool, as the last user message asks; keep to `max_tokens`."""
    return limited(_tool_reply(request) or say(_reply_text(request)), request)


def limited(reply: Reply, request: Request) -> Reply:
    """Keep a reply to `max_tokens`."""
    limit = request.json.get("max_completion_tokens") or request.json.get("max_tokens")
    if isinstance(limit, int) and limit < len(reply.deltas):
        return Reply(reply.deltas[:limit], "length")
    return reply


def _reply_text(request: Request) -> str:
    asked = last_user_text(request)
    return asked.removeprefix("echo:").lstrip() if asked.startswith("echo:") else REPLY_TEXT


def last_user_text(request: Request) -> str:
    """Find what the user said last; of a legacy completion the prompt."""
    messages = request.json.get("messages")
    if not isinstance(messages, list):
        return _text(request.json.get("prompt"))
    asked = (m for m in reversed(messages) if isinstance(m, dict) and m.get("role") == "user")
    return _text(next(asked, {}).get("content"))


def prompt_tokens(request: Request) -> int:
    """Count the words of all messages, or of the prompt."""
    messages = request.json.get("messages")
    if not isinstance(messages, list):
        return len(_text(request.json.get("prompt")).split())
    return sum(len(_text(m.get("content")).split()) for m in messages if isinstance(m, dict))


def _text(content: Any) -> str:
    """Take the text out of a string or of a list of content parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _tool_reply(request: Request) -> Reply | None:
    """Call the tool that the last message, if it is the user's, asks to use.

    After a tool's result the last message is the tool's: the fake then talks, or an agent would loop.
    """
    messages = request.json.get("messages") or [{}]
    if messages[-1].get("role") != "user":
        return None
    asked = last_user_text(request)
    for tool in request.json.get("tools") or ():
        function = tool["function"]
        if found := re.search(rf"\buse {re.escape(function['name'])}\b\s*(\{{.*\}})?", asked, re.DOTALL):
            arguments = found[1] or json.dumps(sample(function.get("parameters") or {"type": "object"}))
            return Reply(tuple(call_fragments(function["name"], arguments)), "tool_calls")
    return None
