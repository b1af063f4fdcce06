"""The load generator: raw HTTP/1.1 to `/api/chat`, connections in a closed loop, every answer checked."""

import asyncio
import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import msgspec

from bench.answers import Expected, WrongAnswer, check
from bench.wire import Connection


@dataclass(frozen=True)
class Address:
    """Where the server is, and the client key it wants, if any."""

    host: str
    port: int
    api_key: str = ""


@dataclass(frozen=True)
class Load:
    """So many exchanges of one kind over so many connections."""

    model: str
    tokens: int
    stream: bool
    connections: int
    exchanges: int


@dataclass(frozen=True)
class Outcome:
    """What came back, all of it right."""

    seconds: float
    exchanges: int
    lines: int
    reads: int


def encode_request(address: Address, load: Load, seed: int) -> bytes:
    """Encode one request."""
    body = msgspec.json.encode(
        {
            "model": load.model,
            "messages": [
                {
                    "role": "system",
                    "content": "You are a patient assistant. Answer briefly and in plain words.",
                },
                {
                    "role": "user",
                    "content": "Please count the waves that reach the shore while the tide comes in.",
                },
            ],
            "stream": load.stream,
            "options": {"num_predict": load.tokens, "seed": seed},
        }
    )
    key = f"authorization: Bearer {address.api_key}\r\n" if address.api_key else ""
    head = (
        f"POST /api/chat HTTP/1.1\r\nhost: {address.host}:{address.port}\r\n{key}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Worker:
    """One connection that sends its next request when the last answer is whole."""

    def __init__(self, connection: Connection, address: Address, load: Load, seed: int) -> None:
        """Encode the request once; the seed makes this worker's text its own."""
        self._connection = connection
        self._request = encode_request(address, load, seed)
        self._expected = Expected(seed, load.tokens, load.stream)
        self.lines = 0

    async def run(self, exchanges: int) -> None:
        """Make so many exchanges."""
        for _ in range(exchanges):
            self._connection.send(self._request)
            body = await self._connection.read_whole()
            self.lines += check(self._expected, self._connection.status, self._connection.content_type, body)


class Clients:
    """The connections of one load, each opened and used once before any clock runs."""

    def __init__(self, address: Address, load: Load) -> None:
        """Open nothing yet."""
        self._address, self._load = address, load
        self._connections: list[Connection] = []

    async def __aenter__(self) -> Self:
        """Open the connections and use each once, so that the server's own connections are open, too."""
        host, port = self._address.host, self._address.port
        try:
            for _ in range(self._load.connections):
                self._connections.append(await Connection.open(host, port))
            await self._run(replace(self._load, tokens=1, stream=False, exchanges=self._load.connections))
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    async def run(self) -> Outcome:
        """Carry the load out."""
        return await self._run(self._load)

    async def _run(self, load: Load) -> Outcome:
        workers = [
            Worker(connection, self._address, load, seed)
            for seed, connection in enumerate(self._connections, 1)
        ]
        share, over = divmod(load.exchanges, load.connections)
        reads = self._reads()
        start = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for number, worker in enumerate(workers):
                    group.create_task(worker.run(share + (number < over)))
        except* (WrongAnswer, OSError) as faults:
            # One fault says all: the rest was cancelled for its sake.
            raise faults.exceptions[0] from None
        seconds = time.perf_counter() - start
        lines = sum(worker.lines for worker in workers)
        return Outcome(seconds, load.exchanges, lines, self._reads() - reads)

    def _reads(self) -> int:
        return sum(connection.reads for connection in self._connections)
