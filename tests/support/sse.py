"""Server-sent events, as strictly as the APIs write them."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

DONE = "[DONE]"


class Event(NamedTuple):
    """An event: its name ("" where it has none) and its data, decoded unless it is `[DONE]`."""

    name: str
    data: Any


def events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Read events as they come.

    Raises:
        ValueError: an event is not a name at most and one line of data, or the end is not an event's.
    """
    rest = b""
    for piece in pieces:
        *blocks, rest = (rest + piece).split(b"\n\n")
        yield from map(_event, blocks)
    if rest:
        raise ValueError(f"the stream ends with {rest!r}")


def _event(block: bytes) -> Event:
    *named, data = block.decode().split("\n")
    if not data.startswith("data: ") or len(named) > 1 or any(not n.startswith("event: ") for n in named):
        raise ValueError(f"not an event: {block!r}")
    text = data.removeprefix("data: ")
    name = named[0].removeprefix("event: ") if named else ""
    return Event(name, text if text == DONE else json.loads(text))


def data_of(body: bytes) -> list[Any]:
    """Give the data of all events of a whole body."""
    return [event.data for event in events([body])]


def text_of(chunks: Iterable[Any]) -> str:
    """Join what the chunks of a chat or a completion say."""
    choices = [choice for chunk in chunks if chunk != DONE for choice in chunk.get("choices", ())]
    return "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices)
