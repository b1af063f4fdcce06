"""A JSON body to a backend in one write, on aiohttp's connections and with its parser.

`ClientSession.request` makes anew for each call what all calls with one URL and one key share: checked
headers, cookies, redirects, a task that writes. Here that is made once, as a `PostTemplate`; a call is then a
connection of the pool, one write and a response. The session carries what is unusual: forms, long bodies,
GET. Measurements: `docs/adr/0003`.
"""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.helpers import DEFAULT_CHUNK_SIZE, TimerNoop
from aiohttp.http_writer import HttpVersion11, StreamWriter, _serialize_headers
from multidict import CIMultiDict
from yarl import URL

from backends.upstream.connections import MAX_HEAD_LINE_BYTES

NO_TIMER = TimerNoop()


class PostTemplate:
    """What all POSTs with one URL and the same headers have in common, on one session."""

    __slots__ = ("_head", "_loop", "_request", "_request_info", "_session", "_url", "_written")

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, headers: dict[str, str], *, verify_tls: bool
    ) -> None:
        self._session = session
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._request = ClientRequest(
            "POST",
            url,
            headers=CIMultiDict(headers),
            skip_auto_headers=("User-Agent",),
            version=HttpVersion11,
            loop=self._loop,
            session=session,
            ssl=verify_tls,
        )
        self._request.headers.pop("Content-Length", None)  # each call has its own
        head = _serialize_headers(f"POST {url.raw_path_qs} HTTP/1.1", self._request.headers)
        self._head = head.removesuffix(b"\r\n") + b"Content-Length: "
        self._request_info = self._request.request_info
        self._written = _NothingLeft()

    async def send(self, body: bytes) -> aiohttp.ClientResponse:
        """Send a body; return when the head of the answer is here. Raises as `ClientSession.request` does."""
        connector = self._session.connector
        if connector is None:
            raise RuntimeError("the session is closed")
        try:
            connection = await connector.connect(self._request, [], self._session.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {self._url}") from error
        try:
            self._write(connection, body)
            response = self._make_response()
            try:
                return await response.start(connection)
            except BaseException:
                response.close()
                raise
        except BaseException:
            connection.close()
            raise

    def _write(self, connection: Connection, body: bytes) -> None:
        protocol = connection.protocol
        if protocol is None or protocol.transport is None or protocol.transport.is_closing():
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        protocol.set_response_params(
            timer=NO_TIMER,
            auto_decompress=False,
            read_until_eof=True,
            read_bufsize=DEFAULT_CHUNK_SIZE,
            max_line_size=MAX_HEAD_LINE_BYTES,
            max_field_size=MAX_HEAD_LINE_BYTES,
        )
        protocol.transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def _make_response(self) -> aiohttp.ClientResponse:
        return aiohttp.ClientResponse(
            "POST",
            self._url,
            writer=None,
            continue100=None,
            timer=NO_TIMER,
            request_info=self._request_info,
            traces=[],
            loop=self._loop,
            session=self._session,
            stream_writer=self._written,
        )


class _NothingLeft(StreamWriter):
    """What a response asks how much was written: the request is out before there is a response."""

    output_size = 0

    def __init__(self) -> None:
        """Write nothing."""
