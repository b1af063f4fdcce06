"""Texts on their way to one backend: in parts as large as it takes, a few at a time, cut where need be.

The first part finds the target. The others go there and nowhere else: vectors of two models, or of two
servers' idea of one, must never stand in one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog
from django.conf import settings

from backends.discovery import catalog
from backends.errors import UpstreamGarbled, UpstreamOversized, UpstreamRejected
from backends.routing.snapshot import Route, Target
from backends.upstream import client
from backends.upstream.client import WholeAnswer
from backends.wire.openai_types import BadReply, EmbeddingReply
from backends.wire.overflow import lengths
from gateway.admission import Lease
from gateway.attempt import Attempt
from gateway.errors import BadRequest
from gateway.failover import try_candidates
from gateway.operation import EmbeddingRequest
from gateway.plan import Plan
from gateway.translate import embeddings
from gateway.translate.embeddings import EmbeddingPart, GatheredVectors
from gateway.translate.truncation import Places, cut, divide, parts
from gateway.upstream_calls import UpstreamCalls

log = structlog.get_logger("llamagate.embedding")

PARALLEL = 4
"""Calls of one request at a time."""
MOST_CUTS = 3
"""How often one text is cut before the refusal goes to the client."""
TOO_LONG = "the input length exceeds the context length"


async def embed(
    lease: Lease, request: EmbeddingRequest, route: Route, plan: Plan, calls: UpstreamCalls
) -> GatheredVectors:
    """Embed all texts. Raises an `UpstreamError`, a `RequestError`, or what the first failing part raises."""
    if not request.texts:
        return GatheredVectors(0)
    batches = _Batches(request, route, calls)
    await try_candidates(lease, request, plan, batches.embed_first)
    await batches.embed_rest()
    return batches.gathered


class _Batches:
    """The parts of one request. Texts are known by their place in it."""

    def __init__(self, request: EmbeddingRequest, route: Route, calls: UpstreamCalls) -> None:
        self._request = request
        self._route = route
        self._calls = calls
        self._texts = list(request.texts)
        self._places = range(len(request.texts))
        self._dimensions = request.dimensions
        """What the backend is asked for: 0 once it has refused, and then vectors are cut here."""
        self._cut: set[int] = set()
        self._turns = asyncio.Semaphore(PARALLEL)
        self._size = 0
        """Bytes of all answers: however many parts there are, they are one answer."""
        self._attempt: Attempt
        """The one whose target is asked; once it has answered, for good."""
        self.gathered = GatheredVectors(len(request.texts))

    @property
    def _target(self) -> Target:
        return self._attempt.candidate.target

    async def embed_first(self, attempt: Attempt) -> None:
        """Ask one target for the first part. Raises an `UpstreamError`: another target may do better."""
        self._attempt = attempt
        self.gathered.dialect = self._target.dialect
        try:
            await self._ask(self._first_part())
        except UpstreamRejected as refused:
            if refused.may_try_another:
                raise
            await self._mend(self._first_part(), refused)

    async def embed_rest(self) -> None:
        """Ask the same target for the other parts."""
        await self._together(parts(self._places[self._batch :], self._batch))
        if self._cut:
            backend = self._target.upstream.name
            log.info("input truncated", alias=self._route.alias, backend=backend, texts=len(self._cut))

    @property
    def _batch(self) -> int:
        style = self._target.dialect.embeddings
        return max(1, style.batch_size) if style is not None else 1

    def _first_part(self) -> Places:
        return self._places[: self._batch]

    async def _together(self, divided_places: Iterable[Places]) -> None:
        """Ask for several parts. The first failure cancels the others, and is the one reported."""
        try:
            async with asyncio.TaskGroup() as group:
                for places in divided_places:
                    group.create_task(self._embed_part(places))
        except ExceptionGroup as failed:  # a client is told one failure, not a group of them
            raise failed.exceptions[0] from None

    async def _embed_part(self, places: Places) -> None:
        try:
            await self._ask(places)
        except UpstreamRejected as refused:
            await self._mend(places, refused)

    async def _ask(self, places: Places) -> None:
        texts = [self._texts[place] for place in places]
        part = EmbeddingPart(texts, self._dimensions, self._request.truncate)
        async with self._turns:
            reply = await self._calls.fetch(self._attempt, self._read, part)
        self.gathered.put(places, reply)

    async def _mend(self, places: Places, refused: UpstreamRejected) -> None:
        """Ask again in a way that may be taken, or raise the refusal."""
        if self._dimensions and embeddings.is_about_dimensions(refused):
            self._dimensions = 0
            await self._embed_part(places)
        elif refused.is_no_route:
            raise BadRequest(embeddings.describe_inability(self._request.model))
        elif not refused.is_too_long:
            raise refused
        elif len(places) > 1:
            limit = lengths(refused.message).limit or await self._context_length()
            await self._together(divide(self._texts, places, limit))
        elif not self._request.truncate:
            raise BadRequest(TOO_LONG)
        else:
            await self._shorten(places, refused)

    async def _shorten(self, places: Places, refused: UpstreamRejected) -> None:
        """Cut one text until it is taken."""
        (place,) = places
        known = await self._context_length()
        self._cut.add(place)
        for _ in range(MOST_CUTS):
            self._texts[place] = cut(self._texts[place], lengths(refused.message), known)
            try:
                return await self._ask(places)
            except UpstreamRejected as again:
                if not again.is_too_long:
                    raise
                refused = again
        raise refused

    async def _context_length(self) -> int | None:
        card = await catalog.card_of(self._target)
        return self._route.rule.context_length or card.context_length

    def _read(self, answer: WholeAnswer) -> EmbeddingReply:
        name = answer.target.upstream.name
        try:
            reply: EmbeddingReply = answer.call.reader.read(answer.body)
        except BadReply as error:
            raise UpstreamGarbled(name, f"embeddings not understood: {error}") from None
        if reply.error is not None:
            raise client.error_in(answer.target, reply.error)
        self._size += len(answer.body)
        if self._size > settings.PROXY.max_answer_bytes:
            raise UpstreamOversized(name, settings.PROXY.max_answer_bytes, "LLAMAGATE_MAX_ANSWER_BYTES")
        return reply
