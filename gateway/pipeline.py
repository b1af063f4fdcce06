"""One request's whole life: resolve, admit, translate, send, feed, encode, settle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from django.http import HttpResponseBase

from accounts.directory import Caller
from backends.discovery import catalog
from backends.errors import NoRoute, NoTargetLeft, UpstreamGarbled, UpstreamRejected
from backends.routing import balance, registry
from backends.routing.snapshot import Route, Target
from backends.upstream import client as upstream
from backends.wire.openai_types import BadReply
from core.model_names import has_scheme, is_acceptable, is_valid
from gateway import loaded_models, replay_store
from gateway.durations import keep_alive_s
from gateway.errors import BadRequest, reason_of
from gateway.relay import Relay, StopScanningStream
from gateway.translate import stop_emulation
from gateway.translate.assembly import Assembly, read_whole
from gateway.translate.diagnostics import SILENT, Diagnostics, TranslationContext
from gateway.translate.options import KINDS, list_ignored, merge_options
from gateway.translate.reasoning_replay import ReplayCollector, ReplayData
from gateway.translate.token_usage import Timings
from gateway.translate.trace_report import account_of
from gateway.upstream_routes import Call, CallT, Endpoint, filter_able, translate_call
from ollama_api.http import json_response
from ollama_api.ollama.types import Metrics
from ollama_api.request import ClientRequest
from usage import ledger

log = structlog.get_logger("llamagate.exchange")

rng = Random()  # noqa: S311  # shares load, guards nothing
_warned: set[tuple[str, str, str]] = set()
MOST_WARNED = 2000
"""Mappings are the operator's and options Ollama's, so there are few. Beyond it all is said anew."""
MOST_NAMED = 8
INVALID_NAME = "invalid model name"
AnswerT = TypeVar("AnswerT")


async def find_route(caller: Caller, model: str) -> Route:
    """Resolve a name for a caller. Raises `BadRequest`, `NoRoute`, `ModelForbidden`, `NoTargetLeft`."""
    if not is_acceptable(model):
        raise BadRequest(INVALID_NAME)
    route = registry.current().resolve(model)
    if route is None:
        raise _unknown(model)
    caller.require(model)
    if not route.targets:
        raise NoTargetLeft(model, "all its targets are disabled")
    try:
        narrowed = await catalog.narrow(route)
    except NoRoute:
        raise _unknown(model) from None
    if has_scheme(route.alias) and not catalog.is_known(narrowed):
        raise BadRequest(INVALID_NAME)
    return narrowed


def _unknown(model: str) -> Exception:
    return NoRoute(model) if is_valid(model) else BadRequest(INVALID_NAME)


async def serve(
    request: ClientRequest, caller: Caller, call: CallT, endpoint: Endpoint[CallT]
) -> HttpResponseBase:
    """Serve a chat or a generation, streamed or whole."""
    entry = ledger.open_entry(request.request_id, endpoint.name, caller, call.model, streamed=call.stream)
    with record_outcome(request, entry):
        route = await find_route(caller, call.model)
        exchange = Exchange(request, caller, call, endpoint, route, entry)
        if endpoint.empty_reply is not None and endpoint.is_empty(call):
            return await exchange.load_or_unload(endpoint.empty_reply)
        endpoint.check(call, route.rule)
        with in_use(route, keep_alive_s(call.keep_alive)):
            await exchange.recall()
            return await (exchange.streamed() if call.stream else exchange.whole())


@contextmanager
def in_use(route: Route, window_s: float | None) -> Iterator[None]:
    """Count a model as in use: at once if its name is known, else once a backend has answered to it."""
    is_known = catalog.is_known(route)
    if is_known:
        loaded_models.use(route.alias, window_s)
    yield
    if not is_known:
        loaded_models.use(route.alias, window_s)


def note_load(route: Route, window_s: float | None) -> None:
    """Count a model as in use without asking for an answer, if its name is known; or as unloaded."""
    if window_s == 0 or catalog.is_known(route):
        loaded_models.use(route.alias, window_s)


@contextmanager
def record_outcome(request: ClientRequest, entry: ledger.Entry) -> Iterator[None]:
    """Record how a request ended that does not come to its own end."""
    try:
        yield
    except asyncio.CancelledError:
        record_interruption(request, entry)
        raise
    except Exception as error:  # recorded here, answered at the door
        ledger.close(entry, "error", reason_of(error))
        raise


def record_interruption(request: ClientRequest, entry: ledger.Entry) -> None:
    """Record a request that was cancelled: its client left, or this server stops."""
    if request.client_left:
        ledger.close(entry, "client_closed")
    else:
        ledger.close(entry, "error", "the server stopped")


class Exchange(Generic[CallT]):
    """One call on its way: knows the route, builds bodies, keeps the clock."""

    def __init__(
        self,
        request: ClientRequest,
        caller: Caller,
        call: CallT,
        endpoint: Endpoint[CallT],
        route: Route,
        entry: ledger.Entry,
    ) -> None:
        self.request = request
        self.call = call
        self.endpoint = endpoint
        """Narrowed to the way in which the target is asked that is being tried."""
        self._ways = endpoint.way
        self.route = route
        self.entry = entry
        self.caller = caller
        self._recalled: dict[str, ReplayData] = {}
        self._assembly: Assembly | None = None
        """The answer, where something of it is to be kept."""
        self._stops: list[str] = []
        """Stop strings that were not sent to the target that is being tried."""

    def targets(self) -> list[Target]:
        """Give the targets that can do it, in the order to try them. Raises `BadRequest` if there is none."""
        able = self.route.targets
        if self._ways is not None:
            able = tuple(target for target in able if self._way(target) is not None)
            if not able:
                raise BadRequest(self.endpoint.no_way(self.call))
        if len(able) > 1 and (needed := self.endpoint.needs(self.call)):
            able = filter_able(needed, able, self.route.rule)
        return balance.order(able, rng)

    def _way(self, target: Target) -> Endpoint[CallT] | None:
        return self._ways(self.call, target, self.route.rule) if self._ways is not None else self.endpoint

    def build(self, target: Target) -> upstream.UpstreamCall:
        """Translate for one target, and note that it is being asked."""
        self.entry.backend, self.entry.upstream_model = target.upstream.name, target.model
        endpoint = self.endpoint = self._way(target) or self.endpoint
        if self.request.trace is None and not self._recalled:
            body, self._stops = translate_call(endpoint, self.call, target, self.route.rule)
        else:
            body = self._with_aside(endpoint, target)
        if self.call.options:
            _warn_of_ignored(self.route, self.call, target)
        self.entry.sent_ns = time.monotonic_ns()
        return upstream.UpstreamCall(
            endpoint.upstream_path,
            msgspec.json.encode(body),
            endpoint.reader(target.dialect.reading),
            from_root=endpoint.is_from_root,
            in_lines=endpoint.in_lines,
            is_usual=endpoint.is_usual,
            headers=self._client_headers(endpoint) if endpoint.client_headers else {},
        )

    def _client_headers(self, endpoint: Endpoint[CallT]) -> dict[str, str]:
        given = {name: self.request.headers.get(name, "") for name in endpoint.client_headers}
        return {name: value for name, value in given.items() if value}

    def _with_aside(self, endpoint: Endpoint[CallT], target: Target) -> dict[str, Any]:
        """Translate with what is recalled, and keep the account of it if somebody wants to see one."""
        notes = SILENT if self.request.trace is None else Diagnostics()
        aside = TranslationContext(notes, self._recalled)
        body, self._stops = translate_call(endpoint, self.call, target, self.route.rule, aside)
        if self.request.trace is not None:
            self.request.trace.append(account_of(target, self.call, body, notes))
        return body

    async def recall(self) -> None:
        """Fetch what backends want back with the results of their calls, if there is one of such a kind."""
        if self.endpoint.call_keys is None or not any(target.dialect.replay for target in self.route.targets):
            return
        keys = self.endpoint.call_keys(self.call)
        if keys:
            self._recalled = await replay_store.recall(self.caller, self.route.alias, keys)

    def _keep(self, assembly: Assembly) -> None:
        kept = assembly.kept()
        if kept:
            replay_store.keep(self.caller, self.route.alias, kept)

    async def load_or_unload(self, reply: Callable[[CallT, str, int], Any]) -> HttpResponseBase:
        """Count the model as in use, or no more, and tell backends that load models; nothing is loaded here.

        As in Ollama, a load is checked as a request would be, and an unload is not.
        """
        call, rule = self.call, self.route.rule
        window_s = keep_alive_s(call.keep_alive)
        if window_s != 0:
            self.endpoint.check(call, rule)
            merge_options(rule.options, call.options, rule.forced_options)
        await self._tell_loaders(unload=window_s == 0)
        note_load(self.route, window_s)
        await loaded_models.publish_changes()
        ledger.close(self.entry, "ok")
        return json_response(reply(call, "unload" if window_s == 0 else "load", time.time_ns()))

    async def _tell_loaders(self, *, unload: bool) -> None:
        """Tell backends that load models: one of them loads, all of them unload."""
        loaders = [one for one in self.route.targets if (way := self._way(one)) is not None and way.loads]
        for targets in [[one] for one in loaders] if unload else [balance.order(loaders, rng)]:
            if targets:
                await upstream.ask(targets, self.build, lambda answer: None)

    async def _offered(self, asking: Awaitable[AnswerT]) -> AnswerT:
        """Await an answer. A backend that has no such route cannot do it, which is no failure of its."""
        try:
            return await asking
        except UpstreamRejected as refused:
            if self._ways is not None and refused.is_unusual and refused.is_no_route:
                raise BadRequest(self.endpoint.no_way(self.call)) from None
            raise

    async def whole(self) -> HttpResponseBase:
        """Ask, and answer in one piece."""
        reply = await self._offered(upstream.ask(self.targets(), self.build, self._read))
        self.entry.first_ns = self.entry.ended_ns = time.monotonic_ns()
        body, metrics = self.endpoint.from_upstream(self.call, reply, self.timings(), time.time_ns())
        self.settle(metrics)
        return self.endpoint.whole(body)

    def _read(self, answer: upstream.WholeAnswer) -> Any:
        """Read a whole answer. What this refuses was no answer, and the next target is tried."""
        name = answer.target.upstream.name
        try:
            reply = answer.asked.reader.read(answer.body.strip())
        except BadReply as error:
            raise UpstreamGarbled(name, f"an answer that is not understood: {error}") from None
        if reply.error:
            raise upstream.error_in(answer.target, reply.error)
        if not reply.choices:
            raise UpstreamGarbled(name, "an answer without a choice")
        if self.endpoint.mend is not None:
            self.endpoint.mend(self.call, answer.target, reply)
        if self.endpoint.call_keys is not None and answer.target.dialect.replay:
            self._assembly, _ = read_whole(reply, keeper=ReplayCollector(answer.target.dialect.replay))
        if self._stops:
            stop_emulation.cut_at_stop(reply, self._stops)
        return reply

    async def streamed(self) -> HttpResponseBase:
        """Ask, wait for the first line, and only then commit to a 200."""
        stream = await self._offered(upstream.open_stream(self.targets(), self.build))
        self.entry.first_ns = time.monotonic_ns()
        translator = self.endpoint.stream(self.call)
        if self.endpoint.call_keys is not None and stream.target.dialect.replay:
            self._assembly = translator.assembly
            self._assembly.keeper = ReplayCollector(stream.target.dialect.replay)
        shown = StopScanningStream(stream, stop_emulation.StopScanner(self._stops)) if self._stops else stream
        relay = Relay(self, shown, translator)
        try:
            await relay.begin()
        except BaseException:
            await stream.aclose()
            raise
        return self.endpoint.lines(relay)

    def timings(self) -> Timings:
        """Give the clock's four points."""
        entry = self.entry
        return Timings(entry.started_ns, entry.sent_ns, entry.first_ns, entry.ended_ns or time.monotonic_ns())

    def interrupted(self) -> None:
        """Record an answer that did not come to its end."""
        record_interruption(self.request, self.entry)

    def settle(self, metrics: Metrics) -> None:
        """Record a complete answer."""
        self.entry.prompt_tokens = metrics.prompt_eval_count
        self.entry.completion_tokens = metrics.eval_count
        if self._assembly is not None:
            self._keep(self._assembly)
        ledger.close(self.entry, "ok")


def _warn_of_ignored(route: Route, call: Call, target: Target) -> None:
    """Say once per mapping and option that a backend of this kind has no such option.

    What Ollama does not know either counts as one option: clients may make up any number of names.
    """
    dialect, mapping = target.dialect, route.rule.name
    options = list_ignored(call.options, dialect)
    if not options:
        return
    new = {(mapping, dialect.name, option if option in KINDS else "") for option in options} - _warned
    if not new:
        return
    if len(_warned) + len(new) > MOST_WARNED:
        _warned.clear()
    _warned.update(new)
    fresh = [
        option for option in options if (mapping, dialect.name, option if option in KINDS else "") in new
    ]
    shown = [option[:64] for option in fresh[:MOST_NAMED]]
    log.warning("option ignored", mapping=mapping, options=shown, count=len(fresh), dialect=dialect.name)
