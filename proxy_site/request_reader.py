"""Reads HTTP/1.1 requests off a connection, one at a time: where one ends, and that nothing in it is endless.

The parser is llhttp, through httptools. It would read on into the next request in the same bytes, and does
not say where it stands. So it is given pieces that cannot hold the end of a request but at their own end: a
head and a chunked body end in an empty line (llhttp is strict about CRLF), any other body after its length.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol

import httptools

EMPTY_LINE = b"\r\n\r\n"
FRAMING_FIELDS = frozenset({b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"})
FRAMING_BYTES_PER_PIECE = 16
"""Allowed for a chunk's size line and its two line ends, on top of twice what the chunk holds."""


class UnreadableRequest(Exception):
    """What came is no request, or too much of one: a status and a sentence. The connection ends with it."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RequestHead:
    """A request's line and header fields, names in lower case, in the order in which they came.

    Attributes:
        framing: the fields that tell how the connection goes on; what came several times is joined.
    """

    __slots__ = ("framing", "headers", "method", "target", "version")

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.version = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.framing: dict[bytes, bytes] = {}

    def add_fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Take in the header fields as they came."""
        for name, value in fields:
            name = name.lower()
            self.headers.append((name, value))
            if name in FRAMING_FIELDS:
                self.framing[name] = self.framing[name] + b"," + value if name in self.framing else value

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits to be told before it sends the body."""
        return self.framing.get(b"expect", b"").lower() == b"100-continue"

    def as_bytes(self, *, without: bytes = b"") -> bytes:
        """Write it once more, without the fields of one name."""
        lines = [b"%b %b HTTP/%b" % (self.method.encode(), self.target, self.version.encode())]
        lines += [b"%b: %b" % field for field in self.headers if field[0] != without]
        return b"\r\n".join([*lines, b"", b""])

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow. An older client would have to be told so in the answer."""
        return (
            self.version == "1.1"
            and self.method != "CONNECT"
            and not _has_close(self.framing.get(b"connection", b""))
        )

    @property
    def is_for_websocket(self) -> bool:
        """Whether it asks to go on as a WebSocket (RFC 6455, 4.1)."""
        upgrade = self.framing.get(b"upgrade", b"")
        return self.method == "GET" and self.version == "1.1" and upgrade.lower() == b"websocket"


class RequestReceiver(Protocol):
    """Who is told of a request while it is read: of its head, its body in pieces, and its end."""

    def on_head(self, head: RequestHead) -> None:
        """The head is whole."""

    def on_body(self, piece: bytes) -> None:
        """A piece of the body came."""

    def on_end(self) -> None:
        """The request is whole."""

    def on_websocket(self, head: RequestHead) -> None:
        """Instead of all others: what follows is no HTTP any more."""


class RequestReader:
    """One connection's requests.

    Attributes:
        has_begun: a byte of a request came that is not whole yet; empty lines before one do not count.
    """

    def __init__(self, receiver: RequestReceiver, max_head_bytes: int) -> None:
        self._receiver = receiver
        self._max_head_bytes = max_head_bytes
        self._events = _ParserEvents(receiver)
        self._parser = httptools.HttpRequestParser(self._events)
        self.has_begun = False
        self._is_whole = False
        self._begin()

    def _begin(self) -> None:
        self._in_head = True
        self._last_bytes = b""
        self._body_left = 0
        self._framing_bytes = 0

    def read(self, data: bytes) -> bytes:
        """Read on to the end of the request under way. Gives what came behind it, unread.

        Raises:
            UnreadableRequest: nothing more can be read from this connection.
        """
        position = 0
        self._is_whole = False
        while position < len(data):
            end = self._end_of_piece(data, position)
            self._read_piece(data if end - position == len(data) else data[position:end])
            position = end
            if self._is_whole:
                self.has_begun = False
                self._begin()
                break
        return data[position:]

    def _end_of_piece(self, data: bytes, begin: int) -> int:
        """Find the first place behind `begin` where a request may end; if there is none, all of it."""
        if self._body_left:
            return min(begin + self._body_left, len(data))
        if self._last_bytes:
            seam = (self._last_bytes + data[begin : begin + 3]).find(EMPTY_LINE)
            if seam >= 0:
                return begin + seam + len(EMPTY_LINE) - len(self._last_bytes)
        found = data.find(EMPTY_LINE, begin)
        return found + len(EMPTY_LINE) if found >= 0 else len(data)

    def _read_piece(self, piece: bytes) -> None:
        if self._in_head:
            self._read_head(piece)
        elif self._body_left:
            self._body_left -= len(piece)
            self._parse(piece)
            return
        else:
            self._read_chunks(piece)
        self._last_bytes = (self._last_bytes + piece[-3:])[-3:]

    def _read_head(self, piece: bytes) -> None:
        """Read a head, or a part of one. Empty lines before it are passed over, and count."""
        self._count_framing(len(piece))
        stopped_for_upgrade = self._parse(piece)
        self.has_begun = self._events.has_begun
        if not self._events.head_is_whole:
            return
        head = self._take_head()
        if stopped_for_upgrade and head.method != "CONNECT":
            if head.is_for_websocket:
                self._is_whole = True
                self._receiver.on_websocket(head)
                return
            self._read_again_without_upgrade(head)
        self._enter_body(head)

    def _take_head(self) -> RequestHead:
        head = RequestHead()
        head.target = self._events.target
        head.add_fields(self._events.fields)
        head.method = self._parser.get_method().decode("ascii")
        head.version = self._parser.get_http_version()
        return head

    def _read_again_without_upgrade(self, head: RequestHead) -> None:
        """Go on in HTTP/1.1, as a server may (RFC 9110, 7.8).

        The parser took what follows for another protocol. A fresh one gets the head again, without the offer.
        """
        self._events.forget()
        self._parser = httptools.HttpRequestParser(self._events)
        self._parse(head.as_bytes(without=b"upgrade"))

    def _enter_body(self, head: RequestHead) -> None:
        self._in_head = False
        self._framing_bytes = 0
        if not self._events.is_whole and b"transfer-encoding" not in head.framing:
            self._body_left = int(head.framing.get(b"content-length", 0))
        self._receiver.on_head(head)
        self._notice_end()

    def _notice_end(self) -> None:
        if self._events.is_whole:
            self._events.forget()
            self._is_whole = True
            self._receiver.on_end()

    def _read_chunks(self, piece: bytes) -> None:
        """Read a part of a chunked body. What is not content has its bound, whatever it is.

        That is for trailer fields and chunk extensions, which the parser gathers or skips without end.
        """
        events = self._events
        bytes_before, pieces_before = events.body_bytes, events.body_pieces
        self._parse(piece)
        content = events.body_bytes - bytes_before
        allowed = 2 * content + FRAMING_BYTES_PER_PIECE * (events.body_pieces - pieces_before)
        self._count_framing(len(piece) - content, allowed)

    def _count_framing(self, size: int, allowed: int = 0) -> None:
        self._framing_bytes = max(0, self._framing_bytes + size - allowed)
        if self._framing_bytes > self._max_head_bytes:
            raise UnreadableRequest(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's headers are too large"
            )

    def _parse(self, piece: bytes) -> bool:
        """Give a piece to the parser. Says whether it stopped behind a head with an offer to upgrade."""
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._in_head:
                return True
            raise _invalid() from None
        except httptools.HttpParserError:
            raise _invalid() from None
        if not self._in_head:
            self._notice_end()
        return False


def _has_close(connection: bytes) -> bool:
    text = connection.lower()
    return b"close" in text and b"close" in [token.strip() for token in text.split(b",")]


def _invalid() -> UnreadableRequest:
    return UnreadableRequest(HTTPStatus.BAD_REQUEST, "invalid HTTP request")


class _ParserEvents:
    """What the parser calls. It swallows what is raised in here, so all of it is plain bookkeeping."""

    def __init__(self, receiver: RequestReceiver) -> None:
        self._tell_body = receiver.on_body
        self.body_bytes = 0
        self.body_pieces = 0
        self.forget()

    def forget(self) -> None:
        """Be ready for the next request."""
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        """Of the head; later those of the trailer, which nobody reads."""
        self.has_begun = False
        self.head_is_whole = False
        self.is_whole = False

    def on_message_begin(self) -> None:
        if self.has_begun:
            raise ValueError("two requests in one piece")
        self.has_begun = True

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.head_is_whole = True

    def on_body(self, piece: bytes) -> None:
        self.body_bytes += len(piece)
        self.body_pieces += 1
        self._tell_body(piece)

    def on_message_complete(self) -> None:
        self.is_whole = True
