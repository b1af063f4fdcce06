"""Replay a recorded exchange through the real translators, with every clock stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any
from unittest import mock

import aiohttp
import msgspec

from backends.routing.snapshot import MappingRules, Route, Target, Upstream
from backends.upstream import client as upstream
from backends.wire.dialects import DIALECTS
from backends.wire.reading import USUAL, Reading, Reads, decode_reply
from backends.wire.sse import SSEDecoder
from gateway import pipeline, relay
from gateway.errors import RequestError, failure_of
from gateway.translate.token_usage import Timings
from gateway.upstream_routes import Endpoint
from ollama_api.door import NOBODY
from ollama_api.json_encoding import to_json
from ollama_api.request import ClientRequest
from usage.ledger import Entry

REQUEST_ID = "golden"
BACKEND_MODEL = "backend-model"
NOW_NS = 1_787_306_400_123_456_789  # 2026-08-21T10:00:00.123456789Z
TIMINGS = Timings(started_ns=0, sent_ns=2_000_000, first_ns=250_000_000, ended_ns=1_250_000_000)


class StoppedClock:
    """Stands in for the module `time`."""

    @staticmethod
    def time_ns() -> int:
        return NOW_NS

    @staticmethod
    def monotonic_ns() -> int:
        return TIMINGS.ended_ns


class ScriptedAnswer:
    """A backend's answer that comes in the given reads; its own content, too."""

    reason = ""

    def __init__(
        self, reads: Iterable[bytes], content_type: str = "text/event-stream", status: int = 200
    ) -> None:
        self.content_type = content_type
        self.status = status
        self.headers: dict[str, str] = {}
        self.content = self
        self._reads: Iterator[bytes] = iter(list(reads))
        self._at_end = False

    async def readany(self) -> bytes:
        piece = next(self._reads, b"")
        self._at_end = not piece
        return piece

    def at_eof(self) -> bool:
        return self._at_end

    def exception(self) -> BaseException | None:
        return None

    def release(self) -> None:
        """There is no connection to give back."""

    close = release


class Outcome(msgspec.Struct, frozen=True):
    """What the client got."""

    status: int
    body: bytes


def target(dialect: str = "generic", model: str = BACKEND_MODEL, **fields: Any) -> Target:
    """Make a target on a backend of that kind."""
    backend = Upstream(1, f"my-{dialect}", "http://127.0.0.1:1/v1", DIALECTS[dialect], **fields)
    return Target(backend, model)


def rule(*targets: Target, name: str = "alias", **fields: Any) -> MappingRules:
    """Make a mapping."""
    return MappingRules(name=name, targets=targets or (target(),), **fields)


def stream(
    endpoint: Endpoint[Any],
    call: Any,
    reads: Sequence[bytes],
    reading: Reading = USUAL,
    **answer: Any,
) -> Outcome:
    """Let a backend answer in these reads, and gather what the client gets."""
    with mock.patch.object(pipeline, "time", StoppedClock), mock.patch.object(relay, "time", StoppedClock):
        return asyncio.run(
            _streamed(endpoint, call, endpoint.reader(reading), ScriptedAnswer(reads, **answer))
        )


async def _streamed(
    endpoint: Endpoint[Any], call: Any, reader: Reads[Any], answer: ScriptedAnswer
) -> Outcome:
    mapping = rule()
    entry = _entry(endpoint.name, mapping.name)
    response: aiohttp.ClientResponse = answer  # type: ignore[assignment]  # as much of one as is read
    source = upstream.Stream(mapping.targets[0], response, reader, SSEDecoder())
    route = Route(mapping.name, mapping, mapping.targets)
    asked = pipeline.Exchange(_client(), NOBODY, call, endpoint, route, entry)
    answering = relay.Relay(asked, source, endpoint.stream(call))
    try:
        if answer.status != 200:
            raise await upstream._refusal(mapping.targets[0], response)
        await source.begin()
        await answering.begin()
        return Outcome(200, b"".join([lines async for lines in answering]))
    except Exception as error:
        return refused(error)
    finally:
        await answering.aclose()


def whole(endpoint: Endpoint[Any], call: Any, body: bytes) -> Outcome:
    """Let a backend answer in one piece."""
    try:
        reply, _ = endpoint.from_upstream(call, decode_reply(body), TIMINGS, NOW_NS)
    except RequestError as error:
        return refused(error)
    return Outcome(200, to_json(reply))


def refused(error: Exception) -> Outcome:
    """Tell an error as the client door does."""
    failure = failure_of(error, REQUEST_ID)
    if failure is None:
        raise error
    return Outcome(failure.status, to_json({"error": failure.message}))


def _client() -> ClientRequest:
    """A client that stays."""
    return ClientRequest({"type": "http", "method": "POST", "path": "/", "headers": []}, BytesIO())


def _entry(endpoint: str, alias: str) -> Entry:
    entry = Entry(REQUEST_ID, endpoint, "team", "", alias, True, TIMINGS.started_ns)
    entry.sent_ns, entry.first_ns = TIMINGS.sent_ns, TIMINGS.first_ns
    return entry
