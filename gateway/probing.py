"""Ask a model what it can do, in the words and by the way that clients' requests take.

It costs tokens, so nothing in here is started by itself: an operator asks for it, in the admin or by
`manage.py probe`. Each question is recorded as usage of the team `system`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import msgspec

from accounts.directory import Caller
from backends.errors import UpstreamError, UpstreamGarbled
from backends.routing.snapshot import MappingRules, Target
from backends.upstream import client as upstream
from backends.wire.openai_types import BadReply, Reply
from gateway.embedding_batches import PROTOCOLS
from gateway.errors import RequestError
from gateway.operations import CHAT, GENERATE
from gateway.translate import embeddings, probe_questions
from gateway.translate.assembly import Assembly, Piece
from gateway.translate.probe_questions import Answer, Finding, Question
from gateway.upstream_routes import Endpoint
from ollama_api.ollama.types import ChatRequest
from usage import ledger

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
    if question.capability == "vision" and not dialect.images:
        return _finding("vision", ("no", "this kind of server takes no images"))
    try:
        answer = await _answer(target, question)
    except _NoRoute:
        return _finding(question.capability, ("no", NO_ROUTE))
    except (UpstreamError, RequestError, TimeoutError) as error:
        return _finding(question.capability, _judge_error(error, question))
    return _finding(question.capability, question.judge(answer, dialect), answer.tokens)


def _judge_error(error: Exception, question: Question) -> probe_questions.Judged:
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
    """Ask as a client's request would be, with nothing of a mapping's own in it."""
    call = question.call
    rule = MappingRules(target.model, (target,), capabilities=("completion", "insert"))
    usual: Endpoint[Any] = CHAT if isinstance(call, ChatRequest) else GENERATE
    endpoint = usual.way(call, target, rule) if usual.way is not None else usual
    if endpoint is None:
        raise _NoRoute
    body = msgspec.json.encode(endpoint.to_upstream(call, target, rule))
    asked = upstream.UpstreamCall(
        endpoint.upstream_path,
        body,
        endpoint.reader(target.dialect.reading),
        from_root=endpoint.is_from_root,
        in_lines=endpoint.in_lines,
    )
    asking = _ask_streamed(target, asked) if call.stream else _whole(target, asked)
    return await _record(target, question.capability, asking, streamed=call.stream)


async def _whole(target: Target, asked: upstream.UpstreamCall) -> Answer:
    def read(whole: upstream.WholeAnswer) -> Answer:
        try:
            reply: Reply = asked.reader.read(whole.body.strip())
        except BadReply as error:
            raise UpstreamGarbled(
                target.upstream.name, f"an answer that is not understood: {error}"
            ) from None
        if reply.error:
            raise upstream.error_in(target, reply.error)
        return _gather([reply], _read_hidden_tokens(whole.body))

    return await upstream.ask([target], lambda _: asked, read)


async def _ask_streamed(target: Target, asked: upstream.UpstreamCall) -> Answer:
    stream = await upstream.open_stream([target], lambda _: asked)
    try:
        replies = [reply async for batch in stream for reply in batch]
    finally:
        await stream.aclose()
    return _gather(replies)


def _gather(replies: list[Reply], hidden: int = 0) -> Answer:
    assembly = Assembly()
    pieces = [assembly.take(reply) or Piece() for reply in replies]
    usage = assembly.usage
    return Answer(
        text="".join(piece.content for piece in pieces),
        thinking="".join(piece.thinking for piece in pieces),
        calls=assembly.tool_calls(0),
        is_cut=assembly.done_reason() == "length",
        prompt_tokens=int(usage.prompt_tokens or 0) if usage else 0,
        completion_tokens=int(usage.completion_tokens or 0) if usage else 0,
        hidden_tokens=hidden,
    )


class _Details(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Spent(msgspec.Struct):
    completion_tokens_details: _Details | None = None


class _Counted(msgspec.Struct):
    usage: _Spent | None = None


def _read_hidden_tokens(body: bytes) -> int:
    """Read what was spent on thinking, where a server counts it."""
    try:
        counted = msgspec.json.decode(body, type=_Counted)
    except msgspec.DecodeError:
        return 0
    details = counted.usage.completion_tokens_details if counted.usage else None
    return (details.reasoning_tokens or 0) if details else 0


async def _embedding(target: Target) -> Finding:
    if target.dialect.embed is None:
        return _finding("embedding", ("no", NO_EMBEDDINGS))
    way = PROTOCOLS[target.dialect.protocol]
    body = msgspec.json.encode(way.body(["probe"], 0, target, truncate=True))
    asked = upstream.UpstreamCall(way.path, body, from_root=way.is_from_root)
    lengths: list[int] = []

    def read(whole: upstream.WholeAnswer) -> Answer:
        try:
            reply = way.decode(whole.body)
        except BadReply as error:
            raise UpstreamGarbled(target.upstream.name, f"embeddings not understood: {error}") from None
        if reply.error is not None:
            raise upstream.error_in(target, reply.error)
        lengths.append(len(embeddings.numbers(embeddings.vectors(reply, 1)[0])))
        return Answer(prompt_tokens=int(reply.usage.prompt_tokens or 0) if reply.usage else 0)

    try:
        asking = upstream.ask([target], lambda _: asked, read)
        answer = await _record(target, "embedding", asking, streamed=False)
    except (UpstreamError, RequestError, TimeoutError) as error:
        question = probe_questions.first_question(target.model)
        return _finding("embedding", _judge_error(error, question))
    evidence = f"a vector of {lengths[0]} numbers came"
    return Finding("embedding", "yes", evidence, length=lengths[0], tokens=answer.tokens)


async def _record(target: Target, capability: str, asking: Awaitable[Answer], *, streamed: bool) -> Answer:
    """Wait for an answer, not for ever, and record what it cost."""
    entry = ledger.open_entry(uuid.uuid4().hex, "probe", SYSTEM, target.model, streamed=streamed)
    entry.backend, entry.upstream_model, entry.sent_ns = (
        target.upstream.name,
        target.model,
        time.monotonic_ns(),
    )
    try:
        async with asyncio.timeout(QUESTION_S):
            answer = await asking
    except BaseException as error:
        ledger.close(entry, "error", f"{capability}: {type(error).__name__}")
        raise
    entry.prompt_tokens, entry.completion_tokens = answer.prompt_tokens, answer.completion_tokens
    ledger.close(entry, "ok", capability)
    return answer
