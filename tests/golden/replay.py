"""Replay a recorded exchange through the real translators, with every clock stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from unittest import mock

import aiohttp
import msgspec

from backends.routing.snapshot import MappingRules, Target, Upstream
from backends.upstream import client as upstream
from backends.wire.dialects import DIALECTS
from backends.wire.reading import USUAL, Reading, decode_reply
from backends.wire.sse import SSEDecoder
from gateway import admission, relay
from gateway.admission import Lease
from gateway.answer import AnswerMetrics
from gateway.capabilities import check_capabilities
from gateway.client_api import ClientApi
from gateway.context import RequestContext
from gateway.diagnostics import Diagnostics, TranslationContext
from gateway.errors import RequestError, failure_of
from gateway.generation import GenerationRequest
from gateway.mapping_rules import apply_rules
from gateway.operation import ModelLoad
from gateway.plan import Candidate
from gateway.token_estimate import estimate_prompt
from gateway.translate.assembly import read_whole
from gateway.translate.token_usage import Timings, measure
from gateway.upstream_routes import UpstreamRoute, build_body, choose_route, explain_inability
from ollama_api.json_encoding import to_json
from usage.ledger import UsageRecord

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


def build(
    api: ClientApi,
    call: Any,
    to: Target | None = None,
    rules: MappingRules | None = None,
    notes: Diagnostics | None = None,
    recalled: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the body that a target gets: translated, with the mapping's rules, in the form chosen for it."""
    to, rules = to or target(), rules or rule()
    diagnostics = Diagnostics()
    operation = api.translate(call, diagnostics)
    request = operation.request if isinstance(operation, ModelLoad) else operation
    rule_notes = Diagnostics()
    apply_rules(rules, operation, rule_notes)
    route = choose_route(request, to, rules)
    if route is None:
        raise explain_inability(request)
    taken = notes if notes is not None else Diagnostics()
    taken.extend(rule_notes)
    body, _ = build_body(route, request, to, TranslationContext(taken, recalled or {}))
    assert not isinstance(body, bytes)
    return dict(body)


def check(api: ClientApi, call: Any, rules: MappingRules) -> None:
    """Hold a call against what is known of the model. Raises `BadRequest`."""
    check_capabilities(api.translate(call, None), rules)


def open_stream(api: ClientApi, call: Any) -> Any:
    """Begin to write a streamed answer."""
    assert api.open_stream is not None
    return api.open_stream(api.translate(call, None))


def stream(
    api: ClientApi,
    call: Any,
    reads: Sequence[bytes],
    reading: Reading = USUAL,
    **answer: Any,
) -> Outcome:
    """Let a backend answer in these reads, and gather what the client gets."""
    with mock.patch.object(admission, "time", StoppedClock), mock.patch.object(relay, "time", StoppedClock):
        return asyncio.run(_streamed(api, call, reading, ScriptedAnswer(reads, **answer)))


async def _streamed(api: ClientApi, call: Any, reading: Reading, answer: ScriptedAnswer) -> Outcome:
    mapping = rule()
    operation = api.translate(call, None)
    if isinstance(operation, ModelLoad):
        operation = operation.request
    apply_rules(mapping, operation)
    route = choose_route(operation, mapping.targets[0], mapping)
    assert route is not None and api.open_stream is not None
    response: aiohttp.ClientResponse = answer  # type: ignore[assignment]  # as much of one as is read
    source = upstream.Stream(mapping.targets[0], response, route.reader(reading), SSEDecoder())
    lease = _lease(api.name, mapping, route)
    lease.estimate_prompt = partial(estimate_prompt, operation, 0)
    answering = relay.Relay(lease, source, api.open_stream(operation))
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


def whole(api: ClientApi, call: Any, body: bytes) -> Outcome:
    """Let a backend answer in one piece."""
    try:
        return Outcome(200, to_json(encode(api, call, decode_reply(body))))
    except RequestError as error:
        return refused(error)


def encode(api: ClientApi, call: Any, reply: Any, timings: Timings = TIMINGS, now_ns: int = NOW_NS) -> Any:
    """Write a whole answer as the pipeline does."""
    return encode_measured(api, call, reply, timings, now_ns)[0]


def encode_measured(
    api: ClientApi, call: Any, reply: Any, timings: Timings = TIMINGS, now_ns: int = NOW_NS
) -> tuple[Any, AnswerMetrics]:
    """Write a whole answer as the pipeline does, and give its figures."""
    operation = api.translate(call, None)
    answer = reply
    if isinstance(operation, GenerationRequest):
        answer = read_whole(reply, shows_thinking=not operation.hides_thinking)
    metrics = measure(answer.usage, answer.timings, timings)
    return api.encode(operation, answer, metrics, now_ns), metrics


def refused(error: Exception) -> Outcome:
    """Tell an error as the client door does."""
    failure = failure_of(error, REQUEST_ID)
    if failure is None:
        raise error
    return Outcome(failure.status, to_json({"error": failure.message}))


def _lease(name: str, mapping: MappingRules, route: UpstreamRoute) -> Lease:
    context = RequestContext(request_id=REQUEST_ID, started_ns=TIMINGS.started_ns)
    record = UsageRecord(REQUEST_ID, name, "team", "", mapping.name, True, TIMINGS.started_ns)
    lease = Lease(context, record)
    attempt = lease.begin_attempt(Candidate(mapping.targets[0], route))
    attempt.sent_ns, attempt.first_ns = TIMINGS.sent_ns, TIMINGS.first_ns
    return lease
