"""One request's whole life: resolve, admit, translate, send, feed, encode, settle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from django.http import HttpResponseBase

from accounts.directory import Caller
from backends import catalog, upstream
from backends.errors import NoRoute, NoTargetLeft, UpstreamCut, UpstreamGarbled
from backends.routing import balance, registry
from backends.routing.snapshot import Route, Rule, Target
from backends.wire.openai import BadReply, Reply, decode_reply
from ollama_api import residency
from ollama_api.errors import failure_of, unknown_failure
from ollama_api.parse import keep_alive_s
from ollama_api.request import ClientRequest
from ollama_api.responses import NDJSONStream, error_line, json_response
from ollama_api.translate.metrics import Timings
from ollama_api.translate.options import ignored
from ollama_api.translate.stream import StreamTranslator
from ollama_api.types import ChatRequest, GenerateRequest, Metrics
from usage import ledger

log = structlog.get_logger("llamagate.exchange")

CallT = TypeVar("CallT", bound=ChatRequest | GenerateRequest)
rng = Random()  # noqa: S311  # shares load, guards nothing
_warned: set[tuple[str, str]] = set()


class Endpoint(msgspec.Struct, Generic[CallT], frozen=True):
    """How one Ollama endpoint crosses the house: pure functions and two names."""

    name: str
    """For records and logs."""
    upstream_path: str
    is_empty: Callable[[CallT], bool]
    """Whether the call only loads or unloads."""
    check: Callable[[CallT, Rule], None]
    """Refuse what the endpoint or the model cannot do, once the model is known."""
    to_upstream: Callable[[CallT, Target, Rule], dict[str, Any]]
    from_upstream: Callable[[CallT, Reply, Timings, int], tuple[Any, Metrics]]
    stream: Callable[[CallT], StreamTranslator]
    empty_reply: Callable[[CallT, str, int], Any]


async def find_route(caller: Caller, model: str) -> Route:
    """Resolve a name for a caller. Raises `NoRoute`, `ModelForbidden`, `NoTargetLeft`."""
    route = registry.current().resolve(model)
    if route is None:
        raise NoRoute(model)
    caller.require(model)
    if not route.targets:
        raise NoTargetLeft(model, "all its targets are disabled")
    try:
        return await catalog.narrow(route)
    except NoRoute:
        raise NoRoute(model) from None


async def serve(
    request: ClientRequest, caller: Caller, call: CallT, endpoint: Endpoint[CallT]
) -> HttpResponseBase:
    """Serve a chat or a generation, streamed or whole."""
    entry = ledger.open_entry(request.request_id, endpoint.name, caller, call.model, streamed=call.stream)
    with recorded(request, entry):
        route = await find_route(caller, call.model)
        if endpoint.is_empty(call):
            return _load_or_unload(call, endpoint, route, entry)
        endpoint.check(call, route.rule)
        residency.use(route.alias, keep_alive_s(call.keep_alive))
        exchange = Exchange(request, call, endpoint, route, entry)
        return await (exchange.streamed() if call.stream else exchange.whole())


@contextmanager
def recorded(request: ClientRequest, entry: ledger.Entry) -> Iterator[None]:
    """Record how a request ended that does not come to its own end."""
    try:
        yield
    except asyncio.CancelledError:
        close_interrupted(request, entry)
        raise
    except Exception as error:
        ledger.close(entry, "error", str(error))
        raise


def close_interrupted(request: ClientRequest, entry: ledger.Entry) -> None:
    """Record a request that was cancelled: its client left, or this server stops."""
    if request.client_left:
        ledger.close(entry, "client_closed")
    else:
        ledger.close(entry, "error", "the server stopped")


def _load_or_unload(
    call: CallT, endpoint: Endpoint[CallT], route: Route, entry: ledger.Entry
) -> HttpResponseBase:
    """Answer at once: nothing is loaded here, but the model counts as in use, or no more."""
    window_s = keep_alive_s(call.keep_alive)
    residency.use(route.alias, window_s)
    ledger.close(entry, "ok")
    return json_response(endpoint.empty_reply(call, "unload" if window_s == 0 else "load", time.time_ns()))


class Exchange(Generic[CallT]):
    """One call on its way: knows the route, builds bodies, keeps the clock."""

    def __init__(
        self,
        request: ClientRequest,
        call: CallT,
        endpoint: Endpoint[CallT],
        route: Route,
        entry: ledger.Entry,
    ) -> None:
        self.request = request
        self.call = call
        self.endpoint = endpoint
        self.route = route
        self.entry = entry

    def targets(self) -> list[Target]:
        """Give the targets in the order to try them."""
        return balance.order(self.route.targets, rng)

    def body_for(self, target: Target) -> bytes:
        """Translate for one target, and note that it is being asked."""
        self.entry.backend, self.entry.upstream_model = target.upstream.name, target.model
        body = msgspec.json.encode(self.endpoint.to_upstream(self.call, target, self.route.rule))
        if self.call.options:
            _warn_ignored(self.route, self.call, target)
        self.entry.sent_ns = time.monotonic_ns()
        return body

    async def whole(self) -> HttpResponseBase:
        """Ask, and answer in one piece."""
        reply = await upstream.ask(self.targets(), self.endpoint.upstream_path, self.body_for, _decode)
        self.entry.first_ns = self.entry.ended_ns = time.monotonic_ns()
        body, metrics = self.endpoint.from_upstream(self.call, reply, self.timings(), time.time_ns())
        self.settle(metrics)
        return json_response(body)

    async def streamed(self) -> HttpResponseBase:
        """Ask, wait for the first line, and only then commit to a 200."""
        stream = await upstream.open_stream(self.targets(), self.endpoint.upstream_path, self.body_for)
        self.entry.first_ns = time.monotonic_ns()
        relay = Relay(self, stream)
        try:
            await relay.begin()
        except BaseException:
            await stream.aclose()
            raise
        return NDJSONStream(relay)

    def timings(self) -> Timings:
        """Give the clock's four points."""
        entry = self.entry
        return Timings(entry.started_ns, entry.sent_ns, entry.first_ns, entry.ended_ns or time.monotonic_ns())

    def settle(self, metrics: Metrics) -> None:
        """Record a complete answer."""
        self.entry.prompt_tokens = metrics.prompt_eval_count
        self.entry.completion_tokens = metrics.eval_count
        ledger.close(self.entry, "ok")


class Relay:
    """Upstream chunks to client lines. Whatever happens, the upstream is closed and the entry too."""

    def __init__(self, exchange: Exchange[Any], stream: upstream.Stream) -> None:
        self._exchange = exchange
        self._stream = stream
        self._translator: StreamTranslator = exchange.endpoint.stream(exchange.call)
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
        except Exception as error:
            return self._fail(error)

    async def _next_lines(self) -> bytes:
        while True:
            try:
                replies = await self._stream.__anext__()
            except StopAsyncIteration:
                return self._finish()
            lines = self._translator.feed(replies, time.time_ns())
            if lines:
                return lines

    def _finish(self) -> bytes:
        """Write the end, if the backend said that it is one: a cut answer never looks complete."""
        assembly = self._translator.assembly
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
        ledger.close(entry, "error", str(error))
        failure = failure_of(error, entry.request_id)
        if failure is None:
            log.error("unexpected error in a stream", exc_info=error)
        return error_line(failure or unknown_failure(entry.request_id))

    async def aclose(self) -> None:
        """Let go, also of an answer that is not finished."""
        try:
            await self._stream.aclose()
        finally:
            close_interrupted(self._exchange.request, self._exchange.entry)


def _decode(answer: upstream.Whole) -> Reply:
    name = answer.target.upstream.name
    try:
        reply = decode_reply(answer.body.strip())
    except BadReply as error:
        raise UpstreamGarbled(name, f"an answer that is not understood: {error}") from None
    if reply.error is not None:
        raise upstream.error_in(answer.target, reply.error)
    if not reply.choices:
        raise UpstreamGarbled(name, "an answer without a choice")
    return reply


def _warn_ignored(route: Route, call: ChatRequest | GenerateRequest, target: Target) -> None:
    """Say once per model and option that a backend of this kind has no such option."""
    for option in ignored(call.options, target.dialect):
        if (route.alias, option) not in _warned and len(_warned) < 10_000:
            _warned.add((route.alias, option))
            log.warning("option ignored", alias=route.alias, option=option[:64], dialect=target.dialect.name)
