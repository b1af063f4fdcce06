"""HTTP/1.1 as bytes: an incremental request parser, the head of a response, chunked framing.

Written by hand because a test double must be able to do on purpose what a library rightly refuses.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

MAX_HEAD_BYTES = 64 * 1024
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BadRequest(Exception):
    """The bytes are not an HTTP/1 request."""


class RawRequest(NamedTuple):
    """One request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    keep_alive: bool
    http10: bool


class _Head(NamedTuple):
    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def keep_alive(self) -> bool:
        return self.version != "HTTP/1.0" and "close" not in self.get("connection").lower()


class RequestParser:
    """Cuts a byte stream into requests, however the network cuts the bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._body = bytearray()
        self._continued = False

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> RawRequest | None:
        """Take the next whole request out of the buffer.

        Raises:
            BadRequest: the bytes are not HTTP/1.
        """
        if self._head is None:
            self._head = self._take_head()
        head = self._head
        if head is None or not self._take_body(head):
            return None
        body, self._head, self._body, self._continued = bytes(self._body), None, bytearray(), False
        http10 = head.version == "HTTP/1.0"
        return RawRequest(head.method, head.target, head.headers, body, head.keep_alive, http10)

    def wants_continue(self) -> bool:
        """Say once per request whether the peer holds its body back until it reads `100 Continue`."""
        wanted = self._head is not None and self._head.get("expect").lower() == "100-continue"
        wanted, self._continued = wanted and not self._continued, self._continued or wanted
        return wanted

    def _take_head(self) -> _Head | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest("the head is too long")
            return None
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise BadRequest(f"not a request line: {lines[0]!r}")
        return _Head(parts[0], parts[1], parts[2], [_header(line) for line in lines[1:]])

    def _take_body(self, head: _Head) -> bool:
        if "chunked" in head.get("transfer-encoding").lower():
            while (size := self._take_chunk()) is not None:
                if size == 0:
                    return True
            return False
        length = _number(head.get("content-length") or "0", 10)
        if len(self._buffer) < length:
            return False
        self._body += self._buffer[:length]
        del self._buffer[:length]
        return True

    def _take_chunk(self) -> int | None:
        """Move one chunk into the body; None while it is not all there, 0 for the last one."""
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        size = _number(self._buffer[:end].split(b";")[0].decode("latin-1"), 16)
        whole = end + 2 + size + 2
        if len(self._buffer) < whole:
            return None
        self._body += self._buffer[end + 2 : end + 2 + size]
        del self._buffer[:whole]
        return size


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise BadRequest(f"not a header: {line!r}")
    return name.lower(), value.strip()


def _number(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise BadRequest(f"not a number: {text!r}") from None


def response_head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Write a status line and headers."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def framed(data: bytes) -> bytes:
    """Wrap body bytes as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
