"""One accepted connection: requests in, scripts played, and the peer's leaving noticed at once.

A bare asyncio protocol, since it reads all the time, also while a script sleeps or its write is blocked.
So the end of the peer's side is seen in every state. A peer that closes only its sending half counts as
gone: HTTP clients do not do that.
"""

import asyncio
import socket
import struct
import time
from typing import Protocol

from .answers import error_script
from .ledger import Ledger
from .player import Player
from .records import Request, Stream, StreamState
from .steps import Script
from .wire import CONTINUE, BadRequest, RawRequest, RequestParser

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class House(Protocol):
    """What a connection needs of the fake it belongs to."""

    ledger: Ledger
    connections: "set[Connection]"

    def choose(self, request: Request) -> Script: ...
    async def wait_released(self, name: str) -> None: ...


class Connection(asyncio.Protocol):
    """Answers the requests of one peer, one after the other."""

    _transport: asyncio.Transport

    def __init__(self, house: House, number: int) -> None:
        self._house = house
        self._ledger = house.ledger
        self._number = number
        self._parser = RequestParser()
        self._requests = 0
        self._stream: Stream | None = None
        self._task: asyncio.Task[bool] | None = None
        self._drained: asyncio.Future[None] | None = None
        self.gone = asyncio.Event()

    @property
    def idle(self) -> bool:
        return self._task is None

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # A write counts when the kernel has taken all of it: no buffer of our own between the two.
        transport.set_write_buffer_limits(high=0)
        self._house.connections.add(self)
        self._ledger.connected(+1)

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        if self.idle:
            self._next_request()

    def eof_received(self) -> None:
        self._peer_left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._peer_left()
        self._house.connections.discard(self)
        self._ledger.connected(-1)
        self.gone.set()

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()
        if self._stream:
            self._stream.set(blocked=True)

    def resume_writing(self) -> None:
        if self._stream:
            self._stream.set(blocked=False)
        if self._drained and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # Called by the player

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the kernel has taken all that was sent."""
        if self._drained:
            await self._drained

    def close(self) -> None:
        self._settle("cut")
        self._transport.close()

    def reset(self) -> None:
        self._settle("cut")
        self.drop()

    # Called by the fake

    def drop(self) -> None:
        """Reset the connection; the kernel tells the peer with an RST."""
        peer: socket.socket = self._transport.get_extra_info("socket")
        if not self._transport.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def hang_up(self) -> None:
        """Close an idle connection."""
        self._transport.close()

    # Inside

    def _next_request(self) -> None:
        if self._transport.is_closing():
            return
        try:
            raw = self._parser.next()
        except BadRequest as error:
            self._refuse(error)
            return
        if raw:
            self._answer(raw)
        elif self._parser.wants_continue():
            self._transport.write(CONTINUE)

    def _answer(self, raw: RawRequest) -> None:
        self._requests += 1
        request = Request.of(raw, time.monotonic(), self._number, self._requests)
        self._start(request, raw, self._house.choose(request))

    def _refuse(self, error: BadRequest) -> None:
        """Answer what is not HTTP with a 400, and close."""
        raw = RawRequest("?", "?", [], b"", keep_alive=False, http10=False)
        request = Request.of(raw, time.monotonic(), self._number, self._requests)
        self._start(request, raw, error_script(400, str(error)))

    def _start(self, request: Request, raw: RawRequest, script: Script) -> None:
        self._stream = stream = self._ledger.begin(request)
        player = Player(self, stream, script, raw, self._house.wait_released)
        self._task = asyncio.get_running_loop().create_task(self._play(player))
        self._task.add_done_callback(self._played)

    async def _play(self, player: Player) -> bool:
        reusable = await player.play()
        self._settle("finished")  # here and now: the peer may close as soon as it has the last byte
        return reusable

    def _played(self, task: asyncio.Task[bool]) -> None:
        self._task = None
        if task.cancelled():
            return
        if error := task.exception():
            self._ledger.errors.append(error)
            self.reset()
            return
        if task.result():
            self._next_request()
        else:
            self._transport.close()

    def _peer_left(self) -> None:
        """Settle what is open. The transport is aborted, as closing would wait for a blocked write."""
        self._settle("aborted")
        if self._task:
            self._task.cancel()
        self._transport.abort()

    def _settle(self, state: StreamState) -> None:
        stream, self._stream = self._stream, None
        if stream:
            self._ledger.settle(stream, state)
