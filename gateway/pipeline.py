"""One request's life, whatever API it came by: resolve, rules, plan, admit, attempt, relay, settle.

Everything that asks a model goes through here: chats, generations, embeddings, images and audio, loading a
model, and operators' probes. A feature that has to hear of every request has its place in here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

import msgspec

from accounts.errors import AccessError
from backends import key_redaction
from backends.discovery import catalog
from backends.errors import BackendError, NoRoute
from backends.health import board as health_board
from backends.routing.snapshot import Route
from backends.wire.openai_types import Usage
from gateway import embedding_batches, loaded_models, replay_store
from gateway.admission import Lease, admit, open_lease
from gateway.attempt import Attempt
from gateway.capabilities import check_capabilities
from gateway.client_api import ClientApi
from gateway.context import RequestContext
from gateway.decoding import LONG_BODY, decode_body
from gateway.diagnostics import SILENT, Diagnostics
from gateway.durations import keep_alive_s
from gateway.errors import BadRequest, RequestError
from gateway.failover import try_candidates
from gateway.generation import GenerationRequest
from gateway.mapping_rules import apply_rules
from gateway.operation import EmbeddingRequest, MediaRequest, ModelLoad, Operation
from gateway.plan import Plan, make_plan
from gateway.raw_body import RawBody
from gateway.relay import Chunks, Relay, StopScanningStream
from gateway.resolve import resolve_route
from gateway.token_estimate import LARGEST_KEPT, estimate_prompt, estimate_tokens
from gateway.translate.assembly import Assembly, CompleteAnswer, read_whole
from gateway.translate.message_normalization import without_echo
from gateway.translate.reasoning_replay import ReplayCollector, ReplayData, keys_of_turns
from gateway.translate.stop_emulation import StopScanner, cut_at_stop
from gateway.translate.token_usage import measure
from gateway.upstream_calls import UpstreamCalls, read_answer

rng = Random()  # noqa: S311  # shares load, guards nothing


class EncodedAnswer(msgspec.Struct, frozen=True):
    """A whole answer in the client's API: a struct to encode, or bytes of a media type."""

    body: Any
    media_type: str = ""


async def run(context: RequestContext, api: ClientApi, body: bytes) -> EncodedAnswer | Relay:
    """Answer one request of a client. Raises what the door answers; the record is closed in any case."""
    api, call, routed = await _choose_form(context, api, body)
    if call is None:
        call = api.parse(body) if len(body) <= LONG_BODY else await decode_body(api.parse, body)
    lease = open_lease(context, api.name, call.model, streamed=getattr(call, "stream", False))
    with lease.closing():
        route = routed or await _resolve(context, api, call.model)
        diagnostics = Diagnostics() if context.reports is not None else None
        return await run_operation(lease, api, api.translate(call, diagnostics), route)


async def _choose_form(
    context: RequestContext, api: ClientApi, body: bytes
) -> tuple[ClientApi, Any, Route | None]:
    """Let a body pass if every target has its protocol, so that a failover changes nothing in its meaning.

    Whatever is wrong with the name is told once the body is read: faults of the body come first.
    """
    if api.raw is None:
        return api, None, None
    try:
        call = await decode_body(api.raw.parse, body)
        route = await resolve_route(context.caller, call.model)
    except (RequestError, BackendError, AccessError):
        return api, None, None
    if all(getattr(target.dialect, api.raw.protocol) for target in route.targets):
        return api.raw, call, route
    return api, None, None


async def _resolve(context: RequestContext, api: ClientApi, model: str) -> Route:
    try:
        return await resolve_route(context.caller, model)
    except NoRoute as error:
        raise api.explain_missing_model(error) from None


async def run_operation(
    lease: Lease, api: ClientApi, operation: Operation, route: Route
) -> EncodedAnswer | Relay:
    """Answer an operation over a route that is known."""
    if isinstance(operation, ModelLoad):
        return await _load_or_unload(lease, api, operation, route)
    check_capabilities(operation, route.rule)
    rule_notes = Diagnostics() if lease.context.reports is not None else None
    apply_rules(route.rule, operation, rule_notes or SILENT)
    plan = make_plan(operation, route, rng, health_board.find_fault)
    await admit(lease, route, plan)
    calls = UpstreamCalls(lease, operation, rule_notes, await _recall_replay(lease, operation, plan))
    if isinstance(operation, MediaRequest):
        return await _hand_on(lease, operation, plan, calls)
    with _noting_use(lease, operation, route):
        if isinstance(operation, EmbeddingRequest):
            return await _embed(lease, api, operation, route, plan, calls)
        answer = _stream if operation.stream else _answer_whole
        return await answer(lease, api, operation, plan, calls)


@contextmanager
def _noting_use(lease: Lease, operation: Operation, route: Route) -> Iterator[None]:
    """Count a model as in use: at once if its name is known, else once a backend has answered to it."""
    if lease.context.purpose != "client":
        yield
        return
    window_s = None if operation.keep_alive is None else keep_alive_s(operation.keep_alive)
    is_known = catalog.is_known(route)
    if is_known:
        loaded_models.use(route.alias, window_s, operation.model)
    yield
    if not is_known and (lease.attempts or window_s == 0):
        loaded_models.use(route.alias, window_s, operation.model)


async def _recall_replay(lease: Lease, operation: Operation, plan: Plan) -> dict[str, ReplayData]:
    """Fetch what backends want back with the results of their calls, if there is one of such a kind."""
    if not isinstance(operation, GenerationRequest) or operation.prompt is not None:
        return {}
    if not any(candidate.target.dialect.replay_fields for candidate in plan.candidates):
        return {}
    keys = keys_of_turns(operation.turns)
    return await replay_store.recall(lease.context.caller, lease.alias, keys) if keys else {}


async def _answer_whole(
    lease: Lease, api: ClientApi, operation: GenerationRequest | RawBody, plan: Plan, calls: UpstreamCalls
) -> EncodedAnswer:
    """Ask, and answer in one piece."""
    reply = await try_candidates(lease, operation, plan, partial(calls.fetch, read=read_answer))
    attempt = lease.attempts[-1]
    attempt.first_ns = attempt.ended_ns = time.monotonic_ns()
    answer = reply
    assembly: Assembly | None = None
    if isinstance(operation, GenerationRequest):
        answer = _assemble(operation, attempt, reply)
        assembly = answer.assembly
    usage = _count(lease, operation, answer, assembly)
    metrics = measure(usage, answer.timings, lease.measure_times())
    body = api.encode(operation, answer, metrics, time.time_ns())
    lease.settle(metrics, assembly)
    return EncodedAnswer(body)


def _count(lease: Lease, operation: Any, answer: Any, assembly: Assembly | None) -> Usage | None:
    """Give the counts of a whole answer, estimated where its backend gives none."""
    lease.estimate_prompt = _make_prompt_estimate(operation, lease.attempts[-1].body_size)
    if assembly is None and answer.usage is None and isinstance(answer.choices, list):
        assembly = Assembly()  # what passes is told as it came, and recorded as estimated
        assembly.take(answer.reply)
    if assembly is None:
        return answer.usage  # type: ignore[no-any-return]
    lease.estimate_counts(assembly)
    return assembly.usage


def _assemble(request: GenerationRequest, attempt: Attempt, reply: Any) -> CompleteAnswer:
    """Bring a whole answer into the neutral form, as the client asked for it."""
    target = attempt.candidate.target
    without_echo(request.turns, target, reply)
    if attempt.emulated_stops:
        cut_at_stop(reply, attempt.emulated_stops)
    return read_whole(
        reply, shows_thinking=not request.hides_thinking, replay_collector=_make_collector(attempt)
    )


def _make_collector(attempt: Attempt) -> ReplayCollector | None:
    """Make what gathers the parts of an answer that its backend wants back, if it is of such a kind."""
    replay = attempt.candidate.target.dialect.replay_fields
    return ReplayCollector(replay) if replay else None


async def _stream(
    lease: Lease, api: ClientApi, operation: GenerationRequest | RawBody, plan: Plan, calls: UpstreamCalls
) -> Relay:
    """Ask, wait for the first words, and only then commit to an answer."""
    if api.open_stream is None:
        raise BadRequest("streaming is not supported here")
    stream = await try_candidates(lease, operation, plan, calls.open_stream)
    attempt = lease.attempts[-1]
    encoder = api.open_stream(operation)
    lease.estimate_prompt = _make_prompt_estimate(operation, attempt.body_size)
    if isinstance(operation, GenerationRequest) and operation.prompt is None:
        encoder.assembly.replay_collector = _make_collector(attempt)
    shown: Chunks = stream
    if attempt.emulated_stops:
        shown = StopScanningStream(stream, StopScanner(attempt.emulated_stops))
    relay = Relay(lease, shown, encoder)
    await relay.begin()
    return relay


async def _hand_on(lease: Lease, operation: MediaRequest, plan: Plan, calls: UpstreamCalls) -> EncodedAnswer:
    """Hand a body to a backend, and its answer back."""
    answer = await try_candidates(lease, operation, plan, calls.hand_on)
    lease.settle()
    hide = key_redaction.hider(answer.target.upstream)
    return EncodedAnswer(answer.body, hide(answer.content_type) or "application/octet-stream")


async def _embed(
    lease: Lease,
    api: ClientApi,
    operation: EmbeddingRequest,
    route: Route,
    plan: Plan,
    calls: UpstreamCalls,
) -> EncodedAnswer:
    """Embed all texts at one target."""
    gathered = await embedding_batches.embed(lease, operation, route, plan, calls)
    metrics = lease.measure_embedding(gathered.tokens or _estimate_texts(lease, operation))
    body = api.encode(operation, gathered, metrics, time.time_ns())
    lease.settle(metrics)
    return EncodedAnswer(body)


def _make_prompt_estimate(operation: Any, body_size: int) -> Callable[[], int]:
    """Give what estimates the prompt if need be; a large request is not kept for that."""
    if body_size <= LARGEST_KEPT and isinstance(operation, GenerationRequest):
        return partial(estimate_prompt, operation, body_size)
    estimate = estimate_prompt(operation, body_size)
    return lambda: estimate


def _estimate_texts(lease: Lease, request: EmbeddingRequest) -> int:
    """Estimate the tokens of texts for a backend that counts none."""
    if not any(request.texts):
        return 0
    lease.mark_as_estimate()
    return estimate_tokens(request.texts)


async def _load_or_unload(lease: Lease, api: ClientApi, load: ModelLoad, route: Route) -> EncodedAnswer:
    """Count the model as in use, or no more, and tell backends that load models; nothing is loaded here.

    As in Ollama, a load is checked as a request would be, and an unload is not.
    """
    window_s = keep_alive_s(load.keep_alive)
    is_unload = window_s == 0
    if is_unload:
        load.request.options = {}
    else:
        check_capabilities(load.request, route.rule)
        apply_rules(route.rule, load)
    await _tell_loaders(lease, load, route, to_all=is_unload)
    if is_unload or catalog.is_known(route):
        loaded_models.use(route.alias, window_s, load.model)
    await loaded_models.publish_changes()
    reason = "unload" if is_unload else "load"
    body = api.encode_load(load.request, reason, time.time_ns()) if api.encode_load else {}
    lease.settle()
    return EncodedAnswer(body)


async def _tell_loaders(lease: Lease, load: ModelLoad, route: Route, *, to_all: bool) -> None:
    """Tell backends that load models: one of them loads, all of them unload."""
    plan = make_plan(load, route, rng)
    loaders = [one for one in plan.candidates if one.route.loads_models]
    calls = UpstreamCalls(lease, load)
    for candidates in [[one] for one in loaders] if to_all else [loaders]:
        if candidates:
            await try_candidates(lease, load, Plan(candidates), calls.hand_on)
