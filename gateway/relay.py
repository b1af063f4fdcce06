"""A streamed answer on its way to the client: chunks in, bytes out, and an end that is never invented."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import structlog
from django.conf import settings

from backends.errors import UpstreamCut, UpstreamOversized
from backends.routing.snapshot import Target
from backends.wire.reading import has_words
from gateway.admission import Lease
from gateway.client_api import StreamEncoder
from gateway.errors import Failure, failure_of, internal_failure, trace_of
from gateway.translate.stop_emulation import StopScanner

log = structlog.get_logger("llamagate.pipeline")


class Chunks(Protocol):
    """A streamed answer of a backend; see `backends.upstream.answer_stream.Stream`."""

    target: Target

    @property
    def has_seen_done(self) -> bool:
        """Whether its mark of an end came."""

    def expect_end(self) -> None:
        """Take the answer as finished, but for what stands behind its end."""

    async def __anext__(self) -> list[Any]:
        """Give what one read brought."""

    async def aclose(self) -> None:
        """Let go of the connection."""


class StopScanningStream:
    """A stream that ends before the first stop string that was not sent to the backend."""

    def __init__(self, stream: Chunks, scanner: StopScanner) -> None:
        self.target = stream.target
        self.aclose = stream.aclose
        self.expect_end = stream.expect_end
        self._stream = stream
        self._scanner = scanner

    @property
    def has_seen_done(self) -> bool:
        """Whether the backend's mark of an end came."""
        return self._stream.has_seen_done

    async def __anext__(self) -> list[Any]:
        if self._scanner.is_over:
            raise StopAsyncIteration
        try:
            return self._scanner.feed(await self._stream.__anext__())
        except StopAsyncIteration:
            rest = self._scanner.rest()
            if not rest:
                raise
            return rest


class Relay:
    """Upstream chunks to client bytes. Whatever happens, the upstream is closed and the lease settled."""

    def __init__(self, lease: Lease, stream: Chunks, encoder: StreamEncoder) -> None:
        self._lease = lease
        self._stream = stream
        self._encoder = encoder
        self._assembly = encoder.assembly
        self._most_gathered: int = settings.PROXY.max_gathered_bytes
        self._held = b""
        self._over = False
        self._is_ending = False

    async def begin(self) -> None:
        """Wait for the first bytes. What goes wrong until here still gets a status of its own."""
        try:
            self._held = await self._next_bytes()
        except BaseException:
            await self._stream.aclose()
            raise

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._held:
            held, self._held = self._held, b""
            return held
        if self._over:
            raise StopAsyncIteration
        try:
            return await self._next_bytes()
        except Exception as error:  # the door of an answer that has begun: its last words tell what happened
            await self._stream.aclose()  # whoever is slow to read that line does not keep the backend at work
            return self._fail(error)

    async def _next_bytes(self) -> bytes:
        while True:
            try:
                replies = await self._stream.__anext__()
            except StopAsyncIteration:
                return self._finish()
            encoded = self._encoder.feed(replies, time.time_ns())
            if self._assembly.gathered > self._most_gathered:
                raise self._explain_size_limit()
            if self._assembly.is_complete:
                self._expect_end(replies)
            if encoded:
                return encoded

    def _expect_end(self, replies: list[Any]) -> None:
        """Wait a moment for what stands behind the end; longer only where the answer goes on after all."""
        if not self._is_ending or any(map(has_words, replies)):
            self._is_ending = True
            self._stream.expect_end()

    def _explain_size_limit(self) -> UpstreamOversized:
        backend = self._stream.target.upstream.name
        return UpstreamOversized(backend, self._most_gathered, "LLAMAGATE_MAX_GATHERED_BYTES")

    def _finish(self) -> bytes:
        """Write the end, if the backend said that it is one: a cut answer never looks complete."""
        assembly = self._assembly
        if not assembly.is_complete and not (self._stream.has_seen_done and assembly.has_answer):
            raise UpstreamCut(self._stream.target.upstream.name, "the stream ended before the answer did")
        self._over = True
        self._lease.attempts[-1].ended_ns = time.monotonic_ns()
        self._lease.estimate_counts(assembly)
        last, metrics = self._encoder.finish(self._lease.measure_times(), time.time_ns())
        self._lease.settle(metrics, assembly)
        return last

    def _fail(self, error: Exception) -> bytes:
        """Tell the client in the last words, which are not `done`."""
        self._over = True
        self._lease.fail(error)
        request_id = self._lease.context.request_id
        failure = failure_of(error, request_id)
        if failure is None:
            log.error("unexpected error in a stream", exception=trace_of(error))
        return self.last_words(failure or internal_failure(request_id))

    def last_words(self, failure: Failure) -> bytes:
        """Tell a failure after the first byte, in the API's own form."""
        return self._encoder.fail(failure, self._lease.context.request_id)

    async def aclose(self) -> None:
        """Let go, also of an answer that is not finished."""
        try:
            await self._stream.aclose()
        finally:
            self._lease.interrupt()
