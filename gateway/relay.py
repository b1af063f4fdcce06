"""A streamed answer on its way to the client: chunks in, bytes out, and an end that is never invented."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import structlog
from django.conf import settings

from backends.errors import UpstreamCut, UpstreamOversized
from backends.routing.snapshot import Target
from gateway.errors import Failure, failure_of, reason_of, trace_of, unknown_failure
from gateway.translate.assembly import Assembly
from gateway.translate.stop_emulation import StopScanner
from gateway.translate.token_usage import Timings
from ollama_api.ollama.types import Metrics
from usage import ledger

log = structlog.get_logger("llamagate.exchange")


class Translator(Protocol):
    """How one streamed answer is written."""

    assembly: Assembly

    def feed(self, replies: list[Any], now_ns: int) -> bytes:
        """Write what one read brought; empty when there is nothing to show."""

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, Metrics]:
        """Write the end. Raises `RequestError`: there is no answer to show."""

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Write an end that is none."""


class Settling(Protocol):
    """What a relay needs of its exchange."""

    entry: ledger.Entry

    def timings(self) -> Timings:
        """Give the clock's four points."""

    def settle(self, metrics: Metrics) -> None:
        """Record a complete answer."""

    def interrupted(self) -> None:
        """Record an answer that did not come to its end."""


class Chunks(Protocol):
    """A streamed answer of a backend; see `backends.upstream.answer_stream.Stream`."""

    target: Target

    @property
    def saw_done(self) -> bool:
        """Whether its mark of an end came."""

    async def __anext__(self) -> list[Any]:
        """Give what one read brought."""

    async def aclose(self) -> None:
        """Let go of the connection."""


class StopScanningStream:
    """A stream that ends before the first stop string that was not sent to the backend."""

    def __init__(self, stream: Chunks, cutter: StopScanner) -> None:
        self.target = stream.target
        self.aclose = stream.aclose
        self._stream = stream
        self._cutter = cutter

    @property
    def saw_done(self) -> bool:
        """Whether the backend's mark of an end came."""
        return self._stream.saw_done

    async def __anext__(self) -> list[Any]:
        if self._cutter.is_over:
            raise StopAsyncIteration
        try:
            return self._cutter.feed(await self._stream.__anext__())
        except StopAsyncIteration:
            rest = self._cutter.rest()
            if not rest:
                raise
            return rest


class Relay:
    """Upstream chunks to client lines. Whatever happens, the upstream is closed and the entry too."""

    def __init__(self, exchange: Settling, stream: Chunks, translator: Translator) -> None:
        self._exchange = exchange
        self._stream = stream
        self._translator = translator
        self._assembly = translator.assembly
        self._most_gathered: int = settings.PROXY.max_gathered_bytes
        self._held = b""
        self._over = False

    async def begin(self) -> None:
        """Wait for the first line. What goes wrong until here still gets a status of its own."""
        self._held = await self._next_lines()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._held:
            lines, self._held = self._held, b""
            return lines
        if self._over:
            raise StopAsyncIteration
        try:
            return await self._next_lines()
        except Exception as error:  # the door of an answer that has begun: its last line tells what happened
            await self._stream.aclose()  # whoever is slow to read that line does not keep the backend at work
            return self._fail(error)

    async def _next_lines(self) -> bytes:
        while True:
            try:
                replies = await self._stream.__anext__()
            except StopAsyncIteration:
                return self._finish()
            lines = self._translator.feed(replies, time.time_ns())
            if self._assembly.gathered > self._most_gathered:
                raise self._oversized()
            if lines:
                return lines

    def _oversized(self) -> UpstreamOversized:
        backend = self._stream.target.upstream.name
        return UpstreamOversized(backend, self._most_gathered, "LLAMAGATE_MAX_GATHERED_BYTES")

    def _finish(self) -> bytes:
        """Write the end, if the backend said that it is one: a cut answer never looks complete."""
        assembly = self._assembly
        if not assembly.is_complete and not (self._stream.saw_done and assembly.has_answer):
            raise UpstreamCut(self._stream.target.upstream.name, "the stream ended before the answer did")
        self._over = True
        self._exchange.entry.ended_ns = time.monotonic_ns()
        lines, metrics = self._translator.finish(self._exchange.timings(), time.time_ns())
        self._exchange.settle(metrics)
        return lines

    def _fail(self, error: Exception) -> bytes:
        """Tell the client in the last line, which is not `done`."""
        self._over = True
        entry = self._exchange.entry
        ledger.close(entry, "error", reason_of(error))
        failure = failure_of(error, entry.request_id)
        if failure is None:
            log.error("unexpected error in a stream", exception=trace_of(error))
        return self.last_words(failure or unknown_failure(entry.request_id))

    def last_words(self, failure: Failure) -> bytes:
        """Tell a failure after the first byte, in the endpoint's own form."""
        return self._translator.fail(failure, self._exchange.entry.request_id)

    async def aclose(self) -> None:
        """Let go, also of an answer that is not finished."""
        try:
            await self._stream.aclose()
        finally:
            self._exchange.interrupted()
