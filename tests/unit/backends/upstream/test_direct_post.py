"""A POST in one write: the same words as the session's, the same errors, the same pool."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from backends.upstream.connections import open_session
from backends.upstream.direct_post import PostTemplate

HEADERS = {"Authorization": "Bearer sk-x", "Content-Type": "application/json", "Accept": "text/event-stream"}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BODY = '{"model": "ü"}'.encode()
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Heard:
    """A server that keeps what it hears."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.has_lost_one = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await _read_head(reader):
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(ANSWER)
        writer.close()

    async def stay_mute(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()
        self.has_lost_one.set()

    async def hang_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _read_head(reader)
        writer.close()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


@asynccontextmanager
async def _template(speak: Speak) -> AsyncIterator[tuple[PostTemplate, aiohttp.ClientSession, URL]]:
    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat%2Fx?a=b", encoded=True)
    async with open_session(pools=True) as session:
        yield PostTemplate(session, url, HEADERS, verify_tls=True), session, url
    server.close()


async def test_the_same_goes_out_as_by_the_session() -> None:
    heard = Heard()
    async with _template(heard.answer) as (template, session, url):
        direct = await template.send(BODY)
        assert await direct.read() == b"{}"
        usual = await session.post(url, data=BODY, headers=HEADERS, allow_redirects=False, ssl=True)
        assert await usual.read() == b"{}"
    (ours, theirs) = [request.partition(b"\r\n\r\n") for request in heard.requests]
    assert ours[2] == theirs[2] == BODY
    assert ours[0].split(b"\r\n")[0] == theirs[0].split(b"\r\n")[0]
    assert sorted(ours[0].split(b"\r\n")) == sorted(theirs[0].split(b"\r\n"))
    assert direct.request_info.headers["Authorization"] == usual.request_info.headers["Authorization"]


async def test_a_connection_is_used_again() -> None:
    heard = Heard()
    async with _template(heard.answer) as (template, _, _):
        for _ in range(3):
            await (await template.send(BODY)).read()
    assert (len(heard.requests), heard.connections) == (3, 1)


async def test_calls_at_the_same_time_have_connections_of_their_own() -> None:
    heard = Heard()
    async with _template(heard.answer) as (template, _, _):
        answers = await asyncio.gather(*(template.send(BODY) for _ in range(4)))
        assert [await answer.read() for answer in answers] == [b"{}"] * 4
    assert heard.connections == 4


async def test_cancelling_drops_the_connection() -> None:
    heard = Heard()
    async with _template(heard.stay_mute) as (template, _, _):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(template.send(BODY), 0.1)
        await asyncio.wait_for(heard.has_lost_one.wait(), 5)


async def test_a_server_that_hangs_up_is_told_as_by_the_session() -> None:
    async with _template(Heard().hang_up) as (template, session, url):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await template.send(BODY)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(url, data=BODY, headers=HEADERS)


async def test_a_server_that_is_not_there_is_told_as_by_the_session() -> None:
    async with open_session(pools=True) as session:
        url = URL("http://127.0.0.1:1/v1")
        with pytest.raises(aiohttp.ClientConnectorError):
            await PostTemplate(session, url, HEADERS, verify_tls=True).send(BODY)


async def test_no_header_with_a_line_break_goes_out() -> None:
    async with open_session(pools=True) as session:
        with pytest.raises(ValueError, match="header"):
            PostTemplate(session, URL("http://127.0.0.1:1/v1"), {"X": "a\r\nb: c"}, verify_tls=True)
