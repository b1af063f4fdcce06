"""Plays the script of one response onto a connection."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from .answers import Answer
from .records import Stream
from .steps import BodyStep, Framing, Script
from .wire import LAST_CHUNK, RawRequest, framed, response_head


class Line(Protocol):
    """The sending side of a connection."""

    def send(self, data: bytes) -> None: ...
    async def drained(self) -> None: ...
    def close(self) -> None: ...
    def reset(self) -> None: ...


Waiter = Callable[[str], Awaitable[object]]


class Player:
    """The stage that steps act on: adds head and framing, and keeps the record of the stream."""

    def __init__(self, line: Line, stream: Stream, script: Script, raw: RawRequest, wait: Waiter) -> None:
        self._line = line
        self._stream = stream
        self._script = script
        self._wait = wait
        self._answer = Answer(stream.request)
        self._framing: Framing = self._choose_framing(raw)
        self._keep_alive = raw.keep_alive and self._framing != "close"
        self._head: bytes | None = None
        self._terminated = False
        self._left = False

    async def play(self) -> bool:
        """Play all steps; say whether the connection can be used again."""
        steps = self._script.play(self._answer)
        length = 0
        if self._framing == "length":
            steps = list(steps)
            length = sum(len(step.encode()) for step in steps if isinstance(step, BodyStep))
        self._head = self._make_head(length + self._script.missing_bytes)
        for step in steps:
            await step.run(self)
            if self._left:
                return False
        return await self._finish()

    async def head(self) -> None:
        await self._write(b"")

    async def body(
        self, data: bytes, *, wire: bytes | None = None, chunks: int = 1, last: bool = False
    ) -> None:
        """Send body bytes; `wire` is their chunked form, if the step has it ready."""
        if not data:
            return
        sent = data
        if self._framing == "chunked":
            sent = framed(data) if wire is None else wire
            sent, self._terminated = (sent + LAST_CHUNK, True) if last else (sent, False)
        await self._write(sent)
        self._stream.wrote(len(data), chunks)

    async def raw(self, data: bytes) -> None:
        if self._head is not None:
            self._head, self._terminated = None, True
        await self._write(data)
        self._stream.wrote(len(data), 1)

    async def wait(self, name: str) -> None:
        self._stream.set(waiting=name)
        await self._wait(name)
        self._stream.set(waiting=None)

    def close(self) -> None:
        self._left = True
        self._line.close()

    def reset(self) -> None:
        self._left = True
        self._line.reset()

    async def _finish(self) -> bool:
        end = LAST_CHUNK if self._framing == "chunked" and not self._terminated else b""
        await self._write(end)
        return self._keep_alive

    async def _write(self, data: bytes) -> None:
        """Send bytes, with the head before them if it was not sent yet."""
        head, self._head = self._head, None
        if head or data:
            self._line.send((head or b"") + data)
        if head:
            self._stream.set(head_sent=True)
        await self._line.drained()

    def _choose_framing(self, raw: RawRequest) -> Framing:
        chosen = self._script.framing or ("chunked" if self._answer.streaming else "length")
        return "close" if raw.http10 and chosen == "chunked" else chosen

    def _make_head(self, length: int) -> bytes:
        sse = self._answer.streaming
        headers = {
            "server": "fake-backend",
            "content-type": self._script.content_type or ("text/event-stream" if sse else "application/json"),
            **self._framing_headers(length),
            **({} if self._keep_alive else {"connection": "close"}),
            **{name.lower(): value for name, value in self._script.headers.items()},
        }
        return response_head(self._script.status, headers.items())

    def _framing_headers(self, length: int) -> dict[str, str]:
        if self._framing == "chunked":
            return {"transfer-encoding": "chunked"}
        return {"content-length": str(length)} if self._framing == "length" else {}
