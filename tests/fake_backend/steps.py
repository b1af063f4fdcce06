"""What a script is made of.

A script is a list of steps, played one after the other while the peer is there. The head of the response
goes out with the first body bytes, so steps before those happen before the headers; `Head()` sends it
alone. A script that ends without `Close()` or `Reset()` ends the response properly.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from .wire import framed

if TYPE_CHECKING:
    from .answers import Answer

Framing = Literal["chunked", "length", "close"]
Writes = Literal["one", "each"]


class Stage(Protocol):
    """What a step can do to the connection."""

    async def head(self) -> None: ...
    async def body(
        self, data: bytes, *, wire: bytes | None = None, chunks: int = 1, last: bool = False
    ) -> None: ...
    async def raw(self, data: bytes) -> None: ...
    async def wait(self, name: str) -> None: ...
    def close(self) -> None: ...
    def reset(self) -> None: ...


class Step(Protocol):
    """One thing that happens in a response."""

    def run(self, stage: Stage) -> Awaitable[None]: ...


class BodyStep:
    """A step that sends body bytes, known beforehand."""

    def encode(self) -> bytes:
        raise NotImplementedError

    async def run(self, stage: Stage) -> None:
        await stage.body(self.encode())


@dataclass(frozen=True)
class Send(BodyStep):
    """Body bytes as they stand, in one write and one HTTP chunk."""

    data: bytes

    def encode(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class Chunk(BodyStep):
    """A JSON value as one SSE data event, with an event name if wanted."""

    value: Any
    event: str | None = None

    def encode(self) -> bytes:
        name = f"event: {self.event}\n".encode() if self.event else b""
        return b"%bdata: %b\n\n" % (name, msgspec.json.encode(self.value))


@dataclass(frozen=True)
class Comment(BodyStep):
    """An SSE comment, the usual keep-alive."""

    text: str = " OPENROUTER PROCESSING"

    def encode(self) -> bytes:
        return f":{self.text}\n\n".encode()


@dataclass(frozen=True)
class Done(BodyStep):
    """OpenAI's end mark."""

    def encode(self) -> bytes:
        return b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Raw:
    """Bytes with no framing, to break HTTP itself; as the first step they stand in for the head too."""

    data: bytes

    async def run(self, stage: Stage) -> None:
        await stage.raw(self.data)


@dataclass(frozen=True)
class Head:
    """Send status and headers now, without any body byte."""

    async def run(self, stage: Stage) -> None:
        await stage.head()


@dataclass(frozen=True)
class Sleep:
    """Do nothing for so many seconds; 0 lets the loop turn once."""

    seconds: float

    async def run(self, stage: Stage) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Wait:
    """Do nothing until the test calls `fake.release(name)`."""

    name: str

    async def run(self, stage: Stage) -> None:
        await stage.wait(self.name)


@dataclass(frozen=True)
class Hang:
    """Do nothing until the peer leaves."""

    async def run(self, stage: Stage) -> None:
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Close:
    """Close the connection cleanly (FIN) wherever the body stands."""

    async def run(self, stage: Stage) -> None:
        stage.close()


@dataclass(frozen=True)
class Reset:
    """Reset the connection (RST)."""

    async def run(self, stage: Stage) -> None:
        stage.reset()


@dataclass(frozen=True)
class Flood:
    """Send one piece again and again, as fast as the peer reads, until it leaves."""

    piece: bytes

    async def run(self, stage: Stage) -> None:
        wire = framed(self.piece)
        while True:
            await stage.body(self.piece, wire=wire)
            await asyncio.sleep(0)  # a peer that reads fast must not keep the loop from all others


@dataclass(frozen=True)
class Paced(BodyStep):
    """Send pieces at a fixed rate, the first at once; the bytes are framed once, for all its runs.

    With interval 0 they go out as fast as the peer reads: one by one, or in one write. That write also
    ends the response, so it must be the last step.
    """

    pieces: tuple[bytes, ...]
    interval: float = 0.0
    writes: Writes = "one"

    def encode(self) -> bytes:
        return b"".join(self.pieces)

    @cached_property
    def _framed(self) -> list[tuple[bytes, bytes]]:
        return [(piece, framed(piece)) for piece in self.pieces]

    @cached_property
    def _together(self) -> tuple[bytes, bytes]:
        return self.encode(), b"".join(wire for _, wire in self._framed)

    async def run(self, stage: Stage) -> None:
        if self.interval > 0:
            await self._run_paced(stage)
        elif self.writes == "one":
            data, wire = self._together
            await stage.body(data, wire=wire, chunks=len(self.pieces), last=True)
        else:
            for data, wire in self._framed:
                await stage.body(data, wire=wire)

    async def _run_paced(self, stage: Stage) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        for data, wire in self._framed:
            # Against the schedule, not from write to write: a late wake-up must not slow the rate.
            if (pause := due - clock()) > 0:
                await asyncio.sleep(pause)
            await stage.body(data, wire=wire)
            due += self.interval


Play = Callable[["Answer"], Iterable[Step]]


def ordinary(answer: "Answer") -> Iterable[Step]:
    """Play what a healthy backend would say to this request."""
    return answer.steps


@dataclass(frozen=True)
class Script:
    """How to respond: a status, headers and steps, given outright or made from the ordinary answer."""

    steps: Sequence[Step] | Play = ordinary
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to the fake's own; these win."""
    content_type: str | None = None
    """None: SSE for a streaming request, else JSON."""
    framing: Framing | None = None
    """None: chunked for a streaming request, else by Content-Length."""
    missing_bytes: int = 0
    """With framing by length: how much longer Content-Length is than the body."""

    def play(self, answer: "Answer") -> Iterable[Step]:
        return self.steps(answer) if callable(self.steps) else self.steps
