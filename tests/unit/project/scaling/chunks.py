"""Chunks as backends write them."""

import json
from collections.abc import Iterable
from typing import Any

from backends.wire.openai_types import BadReply

Members = dict[str, Any]


def event(*tool_calls: Members, finish: str | None = None, **delta: Any) -> bytes:
    """Write a chunk."""
    more = {"tool_calls": tool_calls} if tool_calls else {}
    return json.dumps({"choices": [{"delta": delta | more, "finish_reason": finish}]}).encode()


def call(arguments: Any = None, name: str | None = None, **more: Any) -> Members:
    """Write a piece of a call."""
    said = {"name": name, "arguments": arguments}
    return more | {"function": {key: value for key, value in said.items() if value is not None}}


def read_all(reader: Any, events: Iterable[bytes]) -> list[Any]:
    """Read events; what is garbage costs, too."""
    try:
        return [reader.read(one) for one in events]
    except BadReply:
        return []


def words(size: int) -> list[bytes]:
    """A few words a chunk."""
    return [event(content="Some words, {and} an \u00e4. ") for _ in range(size)]


def calls(size: int) -> list[bytes]:
    """Whole calls that say nothing of their place."""
    return [event(call(f'{{"x":{place}}}', "f")) for place in range(size)]


def arguments(size: int) -> str:
    """Arguments with all that may confuse."""
    return json.dumps({"x": 'y}"\\ {[' * size, "z": [{}] * size})
