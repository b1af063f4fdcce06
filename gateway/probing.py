"""Ask a model what it can do, in the words and by the way that clients' requests take.

It costs tokens, so nothing in here is started by itself: an operator asks for it, in the admin or by
`manage.py probe`. Each question is recorded as usage of the team `system`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from accounts.directory import Caller
from backends.errors import UpstreamError
from backends.routing.snapshot import MappingRules, Route, Target
from backends.wire.model_cards import CAPABILITIES
from gateway.admission import open_lease
from gateway.answer import AnswerMetrics, AnswerPart
from gateway.client_api import ClientApi
from gateway.context import RequestContext
from gateway.errors import Failure, RequestError
from gateway.operation import EmbeddingRequest, Operation
from gateway.pipeline import EncodedAnswer, run_operation
from gateway.relay import Relay
from gateway.translate import probe_questions
from gateway.translate.assembly import Assembly, CompleteAnswer
from gateway.translate.embeddings import GatheredVectors, numbers
from gateway.translate.probe_questions import Answer, Finding, Question
from gateway.translate.token_usage import Timings, measure
from gateway.upstream_routes import choose_route

SYSTEM = Caller("system")
QUESTION_S = 60.0
NO_ROUTE = "this kind of server has no such route"
NO_EMBEDDINGS = "this kind of server has no embeddings"


class ProbeFailed(Exception):
    """Nothing was found out; the text says why."""


async def probe(target: Target) -> AsyncIterator[Finding]:
    """Find out what a model can do, one thing after the other.

    Raises:
        ProbeFailed: the backend cannot be asked, or does not know the model.
    """
    first = await _first(target)
    embeds = await _embedding(target)
    if first.verdict == embeds.verdict == "no":
        raise ProbeFailed(f"it neither chats ({first.evidence}) nor embeds ({embeds.evidence})")
    yield first
    yield embeds
    if first.verdict == "no":
        return
    found: dict[str, Finding] = {}
    for question in probe_questions.questions(target.model):
        found[question.capability] = await _ask(target, question)
        if question.capability == probe_questions.STREAMED_TOOLS:
            for finding in _reconcile(found["tools"], found[probe_questions.STREAMED_TOOLS]):
                yield finding
        elif question.capability != "tools":
            yield found[question.capability]


def _reconcile(whole: Finding, streamed: Finding) -> list[Finding]:
    """One tool call of two tries proves that the model can; to fail once proves nothing."""
    if whole.verdict == "no" and streamed.verdict == "yes":
        whole = msgspec.structs.replace(whole, verdict="yes", evidence="it called the tool when streamed")
    if whole.verdict == "no" and streamed.verdict == "unclear":
        whole = msgspec.structs.replace(whole, verdict="unclear")
    return [whole, streamed]


async def _first(target: Target) -> Finding:
    question = probe_questions.first_question(target.model)
    try:
        answer = await _answer(target, question)
    except (UpstreamError, RequestError, TimeoutError) as error:
        judged = _judge_error(error, question)
        if judged[0] == "no" and not (
            isinstance(error, UpstreamError) and probe_questions.is_about_the_model(error)
        ):
            return _finding(question.capability, judged)
        raise ProbeFailed(_shorten(judged[1])) from None
    return _finding(question.capability, question.judge(answer, target.dialect), answer.tokens)


async def _ask(target: Target, question: Question) -> Finding:
    dialect = target.dialect
    if question.capability == "vision" and not dialect.accepts_images:
        return _finding("vision", ("no", "this kind of server takes no images"))
    try:
        answer = await _answer(target, question)
    except _NoRoute:
        return _finding(question.capability, ("no", NO_ROUTE))
    except (UpstreamError, RequestError, TimeoutError) as error:
        return _finding(question.capability, _judge_error(error, question))
    return _finding(question.capability, question.judge(answer, dialect), answer.tokens)


def _judge_error(error: Exception, question: Question) -> probe_questions.Judged:
    if isinstance(error.__cause__, UpstreamError):  # a backend's refusal, worded for a client
        error = error.__cause__
    if isinstance(error, UpstreamError):
        return probe_questions.refusal(error, question.told_by)
    return "unclear", str(error) or f"no answer within {QUESTION_S:g} s"


def _finding(capability: str, judged: probe_questions.Judged, tokens: int = 0) -> Finding:
    return Finding(capability, judged[0], _shorten(judged[1]), tokens=tokens)


def _shorten(text: str) -> str:
    """Keep one line of it. What upstream errors say holds no key."""
    return " ".join(text.split())[: probe_questions.EVIDENCE_CHARS]


class _NoRoute(Exception):
    """There is no way to ask this kind of server."""


async def _answer(target: Target, question: Question) -> Answer:
    """Ask as a client's request is asked, with nothing of a mapping's own in it."""
    request = question.make_request()
    route = _make_route(target)
    if choose_route(request, target, route.rule) is None:
        raise _NoRoute
    collector = _Collector()
    api = ClientApi(
        name="probe", parse=bytes, translate=_keep, encode=_encode, open_stream=lambda request: collector
    )
    answered = await _run(target, question.capability, api, request)
    answer: Answer = collector.answer() if isinstance(answered, Relay) else answered.body
    return answer


async def _run(
    target: Target, capability: str, api: ClientApi, operation: Operation
) -> EncodedAnswer | Relay:
    """Let the gateway ask, for a while; what it costs is recorded as usage of the team `system`."""
    context = RequestContext(purpose="probe", caller=SYSTEM, detail=capability)
    lease = open_lease(context, "probe", target.model, streamed=operation.stream)
    with lease.closing():
        async with asyncio.timeout(QUESTION_S):
            return await run_operation(lease, api, operation, _make_route(target))


def _make_route(target: Target) -> Route:
    """Lead to the target alone; nothing that is to be found out is ruled out."""
    return Route(target.model, MappingRules(target.model, (target,), capabilities=CAPABILITIES), (target,))


def _keep(operation: Any, diagnostics: Any = None) -> Any:
    return operation


def _encode(request: Any, answer: CompleteAnswer, metrics: AnswerMetrics, now_ns: int) -> Answer:
    return _judge_ready(answer.assembly, [answer.part])


def _judge_ready(assembly: Assembly, parts: list[AnswerPart]) -> Answer:
    usage = assembly.usage
    return Answer(
        text="".join(part.content for part in parts),
        thinking="".join(part.thinking for part in parts),
        calls=assembly.tool_calls(0),
        is_cut=assembly.done_reason() == "length",
        prompt_tokens=int(usage.prompt_tokens or 0) if usage else 0,
        completion_tokens=int(usage.completion_tokens or 0) if usage else 0,
        hidden_tokens=int(usage.reasoning_tokens or 0) if usage else 0,
    )


class _Collector:
    """Takes a streamed answer for itself: nobody is shown anything."""

    def __init__(self) -> None:
        self.assembly = Assembly()
        self._parts: list[AnswerPart] = []

    def feed(self, replies: list[Any], now_ns: int) -> bytes:
        """Gather."""
        self._parts += [part for reply in replies if (part := self.assembly.take(reply)) is not None]
        return b""

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, AnswerMetrics]:
        """Measure."""
        return b"", measure(self.assembly.usage, self.assembly.timings, timings)

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Leave it to the error itself."""
        return b""

    def answer(self) -> Answer:
        """Give what came."""
        return _judge_ready(self.assembly, self._parts)


async def _embedding(target: Target) -> Finding:
    if target.dialect.embeddings is None:
        return _finding("embedding", ("no", NO_EMBEDDINGS))
    api = ClientApi(name="probe", parse=bytes, translate=_keep)
    try:
        answered = await _run(target, "embedding", api, EmbeddingRequest(model=target.model, texts=["probe"]))
    except (UpstreamError, RequestError, TimeoutError) as error:
        question = probe_questions.first_question(target.model)
        return _finding("embedding", _judge_error(error, question))
    gathered: GatheredVectors = answered.body  # type: ignore[union-attr]  # embeddings are never streamed
    length = len(numbers(gathered.vectors[0]))
    evidence = f"a vector of {length} numbers came"
    return Finding("embedding", "yes", evidence, length=length, tokens=gathered.tokens)
