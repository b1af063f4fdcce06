"""Bytes to server-sent events, across any chunking. Pure.

Only LF, CR and CRLF end a line: never `str.splitlines`, which also splits at U+2028 and U+0085, both legal
inside JSON strings. Source: WHATWG HTML, "Server-sent events".

Taken beyond the standard: events with one newline between them, JSON without `data:`, and errors that are
told by the name of a field or an event, which come out as `{"error": ...}`.
"""

from __future__ import annotations

import msgspec

from backends.wire import lenient
from backends.wire.openai_types import BadReply

DEFAULT_LIMIT_BYTES = 4 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
DONE_MARKS = frozenset({b"[DONE]", b"DONE"})
"""How the end of a stream is marked: the former, in any case of letters, by most."""
EVENTS = "text/event-stream"
NDJSON = "application/x-ndjson"
JSON_BEGINS = (b"{", b"[")
EVENTS_BEGIN = (b"data:", b"event:", b"id:", b"retry:", b":", b"error:")
"""How a stream of server-sent events may begin."""


MOST_PARTS = 100_000
"""Of an event that is longer than the limit above: it may hold a picture, and little else."""


def check_parts(event: bytes) -> None:
    """Refuse a long event of many small things, which take many times their bytes once decoded.

    Raises:
        BadReply: it is one.
    """
    if len(event) <= DEFAULT_LIMIT_BYTES:
        return
    if event.count(b"{") + event.count(b"[") + event.count(b",") > MOST_PARTS:
        raise BadReply("a long event of many parts")


class EventTooLong(ValueError):
    """One event grew over the limit: no honest backend sends that, so nothing more is buffered."""


class LineDecoder:
    """Feed bytes, get each complete line: Ollama's own streams."""

    __slots__ = ("_limit", "_rest", "_size", "limit_bytes")

    media_type = NDJSON

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = self._limit = limit_bytes
        self._rest: list[bytes] = []
        """The pieces of a line that has not ended, joined once, at its end."""
        self._size = 0

    @property
    def is_within_event(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read gave. Raises `EventTooLong`."""
        if b"\n" not in chunk:
            self._hold(chunk)
            return []
        if self._rest:
            chunk = b"".join([*self.finish(), chunk])
        lines = chunk.split(b"\n")
        if rest := lines.pop():
            self._hold(rest)
        return lines

    def finish(self) -> list[bytes]:
        """Take the end of the stream."""
        rest = b"".join(self._rest)
        self._rest.clear()
        self._size = 0
        return [rest] if rest else []

    def _hold(self, piece: bytes) -> None:
        self._rest.append(piece)
        self._size += len(piece)
        if self._size > self._limit:
            raise EventTooLong


class SSEDecoder:
    """Feed bytes, get the data of each complete event. Comments, ids and times are dropped."""

    media_type = EVENTS

    __slots__ = ("_data", "_is_error", "_is_joining", "_limit", "_rest", "_rest_size", "_size", "limit_bytes")

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = self._limit = limit_bytes
        self._rest: list[bytes] = []
        """The pieces of a line that has not ended."""
        self._rest_size = 0
        self._data: list[bytes] = []
        self._size = 0
        self._is_joining = False
        """Whether the first line of this event is known not to be all of it."""
        self._is_error = False

    @property
    def is_within_event(self) -> bool:
        """Whether an event has begun and not ended. A comment is none."""
        return bool(self._data) or (bool(self._rest) and not self._rest[0].startswith(b":"))

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read gave. Raises `EventTooLong`."""
        if self._rest:
            if b"\n" not in chunk and b"\r" not in chunk and not self._rest[-1].endswith(b"\r"):
                self._hold(chunk)  # joined once, at the end of the line
                return []
            chunk = b"".join([*self._rest, chunk])
            self._rest.clear()
            self._rest_size = 0
        if b"\r" in chunk:
            chunk = _with_line_feeds(chunk)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        events = self._events(lines)
        if rest:
            self._hold(rest)
        if self._data and not self._is_joining:
            self._single(events)
        return events

    def finish(self) -> list[bytes]:
        """Take the end of the stream: some servers leave the last blank line out."""
        lines = [b"".join(self._rest).rstrip(b"\r"), b""]
        self._rest.clear()
        return self._events(lines)

    def _hold(self, piece: bytes) -> None:
        self._rest.append(piece)
        self._rest_size += len(piece)
        if self._rest_size + self._size > self._limit:
            raise EventTooLong

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if not line:
                if self._data:
                    self._dispatch(events)
                self._is_error = False
            elif line.startswith(b"data:") and not self._data:
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._size = len(line)
            else:
                self._unusual(line, events)
        return events

    def _dispatch(self, events: list[bytes]) -> None:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        events.append(_as_error(data) if self._is_error else data)
        self._data.clear()
        self._size = 0
        self._is_joining = self._is_error = False

    def _unusual(self, line: bytes, events: list[bytes]) -> None:
        """Take a line that is not the first of an event's data."""
        if line.startswith(BOM):
            line = line[len(BOM) :]
        name, colon, value = line.partition(b":")
        if line[:1] in JSON_BEGINS:
            name, value = b"data", line
        if not colon or name not in (b"data", b"event", b"error"):
            return
        value = value.removeprefix(b" ")
        if self._data and not self._is_joining:
            self._single(events)
        if name == b"event":
            self._is_error = value == b"error"
            return
        self._is_error = self._is_error or name == b"error"
        self._data.append(value)
        self._size += len(line)
        if self._size > self._limit:
            raise EventTooLong

    def _single(self, events: list[bytes]) -> None:
        """Give an event at once whose one line is all there can be of it: the blank line may never come."""
        data = self._data[0]
        if data.strip().upper() in DONE_MARKS or lenient.is_whole(data.strip()):
            self._dispatch(events)
        else:
            self._is_joining = True


def _with_line_feeds(text: bytes) -> bytes:
    """Turn CRLF and CR into LF, but leave a CR at the very end: its LF may be in the next read."""
    held = text.endswith(b"\r")
    body = text[:-1] if held else text
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + (b"\r" if held else b"")


def _as_error(data: bytes) -> bytes:
    """Put the data of an error event where errors are looked for, if it is not there already."""
    try:
        value = lenient.clean(lenient.loads(data))
    except BadReply:
        value = data.decode("utf-8", "replace")
    if isinstance(value, dict) and value.get("error"):
        return data
    return msgspec.json.encode({"error": value or "an error event"})
