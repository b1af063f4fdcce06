"""The benchmark's parsing at any cut of the bytes, and its fake upstream over a real socket."""

import asyncio
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import script, upstream
from bench.answers import Expected, WrongAnswer, check
from bench.client import Address, Clients, Load
from bench.reference import Translation
from bench.wire import Connection

NDJSON = "application/x-ndjson"
EXPECTED = Expected(seed=3, count=6, stream=True)


class _Transport(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass


def _cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    borders = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return (data[start:end] for start, end in pairwise(borders) if start < end)


def _encoded_stream() -> bytes:
    stream = upstream.streamed_answer(script.BURST, EXPECTED.seed, EXPECTED.count, True)
    return b"".join((stream.head, *stream.chunks, stream.tail))


async def _relayed(parts: Iterator[bytes]) -> bytes:
    """Read a stream as the reference relay does, one part at a time."""
    connection, translation = Connection(), Translation(script.BURST)
    connection.connection_made(_Transport())
    connection.send(b"")
    lines = []
    for part in parts:
        connection.data_received(part)
        if connection.has_news:
            lines.append(translation.feed(await connection.read()))
    assert await connection.read() == b""
    return b"".join([*lines, translation.last()])


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=12))
def test_any_cut_of_a_stream_gives_the_same_answer(places: list[int]) -> None:
    body = asyncio.run(_relayed(_cut(_encoded_stream(), places)))
    assert check(EXPECTED, 200, NDJSON, body) == EXPECTED.count + 1


def test_a_stream_byte_by_byte_gives_the_same_answer() -> None:
    data = _encoded_stream()
    body = asyncio.run(_relayed(_cut(data, list(range(len(data))))))
    assert check(EXPECTED, 200, NDJSON, body) == EXPECTED.count + 1


def test_a_connection_that_is_cut_raises_instead_of_ending_the_body() -> None:
    async def cut() -> bytes:
        connection = Connection()
        connection.connection_made(_Transport())
        connection.send(b"")
        connection.data_received(_encoded_stream()[:-5])
        connection.connection_lost(None)
        return await connection.read_whole()

    with pytest.raises(ConnectionResetError):
        asyncio.run(cut())


class _Face(Connection):
    """A connection to the upstream for one test."""

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        self.send(
            f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        )
        return await self.read_whole()


async def _ask_upstream(method: str, path: str, body: object = None) -> tuple[int, bytes]:
    serving = await asyncio.get_running_loop().create_server(upstream.UpstreamConnection, "127.0.0.1", 0)
    async with serving, asyncio.timeout(10):
        api = await _Face.open("127.0.0.1", serving.sockets[0].getsockname()[1])
        answer = await api.ask(method, path, b"" if body is None else json.dumps(body).encode())
        api.close()
    return api.status, answer


@pytest.mark.parametrize("model", [script.BURST, script.WRITES, script.paced(1)])
def test_the_upstream_streams_every_chunk_once_and_in_order(model: str) -> None:
    body = {
        "model": model,
        "messages": [],
        "max_tokens": 40,
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    status, answer = asyncio.run(_ask_upstream("POST", "/v1/chat/completions", body))
    *events, end, rest = answer.split(b"\n\n")
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    said = [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]
    assert (status, end, rest) == (200, b"data: [DONE]", b"")
    assert "".join(said) == script.text(7, 40)
    assert chunks[-1]["usage"]["completion_tokens"] == 40


def test_a_paced_stream_takes_its_time() -> None:
    body = {"model": script.paced(20), "messages": [], "max_tokens": 10, "stream": True}
    start = time.monotonic()
    asyncio.run(_ask_upstream("POST", "/v1/chat/completions", body))
    # Head, ten chunks and end are eleven intervals apart.
    assert time.monotonic() - start >= 11 * 0.020


@pytest.mark.parametrize(
    ("body", "fault"),
    [({"model": "burst", "messages": []}, "max_tokens"), ({"model": "burst"}, "messages"), ([], "object")],
)
def test_the_upstream_says_what_it_does_not_understand(body: object, fault: str) -> None:
    status, answer = asyncio.run(_ask_upstream("POST", "/v1/chat/completions", body))
    assert status == 400
    assert fault in json.loads(answer)["error"]["message"]


def test_the_upstream_lists_its_models() -> None:
    status, answer = asyncio.run(_ask_upstream("GET", "/v1/models"))
    assert status == 200
    assert [model["id"] for model in json.loads(answer)["data"]] == list(upstream.MODELS)


@pytest.mark.parametrize(
    ("model", "interval"),
    [("paced-20ms", 0.02), ("paced-5ms", 0.005), ("burst", None), ("paced-ms", None), ("20ms", None)],
)
def test_a_model_name_tells_the_pace(model: str, interval: float | None) -> None:
    assert script.interval_of(model) == interval


class _Stub(asyncio.Protocol):
    """A server that answers everything with the same bytes."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer)


def test_a_load_fails_as_a_whole_when_one_answer_is_wrong() -> None:
    class Refuses(_Stub):
        answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy"

    async def load() -> None:
        serving = await asyncio.get_running_loop().create_server(Refuses, "127.0.0.1", 0)
        async with serving, asyncio.timeout(10):
            address = Address("127.0.0.1", serving.sockets[0].getsockname()[1])
            async with Clients(address, Load(script.BURST, 5, True, 4, 40)) as clients:
                await clients.run()

    with pytest.raises(WrongAnswer, match="status 503: b'busy'"):
        asyncio.run(load())
