"""The client's end of a kept-alive HTTP/1.1 connection, for the load generator and the reference relay."""

import asyncio
from typing import Self, cast

import httptools


class Connection(asyncio.Protocol):
    """One connection that carries one exchange at a time; the body can be read as it comes or whole."""

    def __init__(self) -> None:
        """Start unconnected: the event loop connects it."""
        self.status = 0
        self.content_type = ""
        self.reads = 0
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._ended = True
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wants_whole = False

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect to a server."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def send(self, request: bytes) -> None:
        """Send one whole request, head and body; the last answer must have been read to its end."""
        if self._transport is None or not self._ended:
            raise RuntimeError("the connection is not ready for another request")
        if self._failure is not None:
            raise self._failure
        self.status, self.content_type, self._ended = 0, "", False
        self._transport.write(request)

    async def read(self) -> bytes:
        """Return the part of the body that has come since the last call; empty at its end."""
        self._wants_whole = False
        while not self._pieces and not self._ended:
            await self._wait()
        return self._take()

    async def read_whole(self) -> bytes:
        """Return the rest of the body when all of it has come."""
        self._wants_whole = True
        while not self._ended:
            await self._wait()
        return self._take()

    @property
    def has_news(self) -> bool:
        """Whether `read` would return at once with a part of the body."""
        return bool(self._pieces)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: Exception) -> None:
        self._failure = self._failure or failure
        self._wake()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came; the reader is woken once for all of it."""
        self.reads += 1
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"not an HTTP response: {error}"))
            self.close()
            return
        if self._ended or (self._pieces and not self._wants_whole):
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader, whose answer is now cut."""
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    # httptools' callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the content type."""
        if name.lower() == b"content-type":
            self.content_type = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Keep the status."""
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, its chunk framing already taken off."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Note that the answer is whole."""
        self._ended = True
