"""Bytes to server-sent events, across any chunking. Pure.

Only LF, CR and CRLF end a line: never `str.splitlines`, which also splits at U+2028 and U+0085, both legal
inside JSON strings. Source: WHATWG HTML, "Server-sent events".
"""

from __future__ import annotations

DEFAULT_LIMIT_BYTES = 4 * 1024 * 1024
BOM = b"\xef\xbb\xbf"


class EventTooLong(ValueError):
    """One event grew over the limit: no honest backend sends that, so nothing more is buffered."""


class SSEDecoder:
    """Feed bytes, get the data of each complete event. Comments and fields other than `data` are dropped."""

    __slots__ = ("_data", "_limit", "_rest", "_size")

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read gave. Raises `EventTooLong`."""
        rest = self._rest + chunk if self._rest else chunk
        if b"\r" in rest:
            rest = _with_line_feeds(rest)
        lines = rest.split(b"\n")
        self._rest = lines.pop()
        events = self._events(lines)
        if len(self._rest) + self._size > self._limit:
            raise EventTooLong
        return events

    def finish(self) -> list[bytes]:
        """Take the end of the stream: some servers leave the last blank line out."""
        lines, self._rest = [self._rest.rstrip(b"\r"), b""], b""
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line:
                self._field(line)
            elif self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._size = 0
        return events

    def _field(self, line: bytes) -> None:
        if line.startswith(BOM):
            line = line[3:]
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._size += len(value)


def _with_line_feeds(text: bytes) -> bytes:
    """Turn CRLF and CR into LF, but leave a CR at the very end: its LF may be in the next read."""
    held = text.endswith(b"\r")
    body = text[:-1] if held else text
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + (b"\r" if held else b"")
