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
from gateway.translate.truncation import (
    MOST_RECOUNTS,
    MOST_RECOUNTS_OF_CALL,
    Places,
    TokenLimit,
    cut,
    divide,
    parts,
)
from gateway.upstream_calls import UpstreamCalls

log = structlog.get_logger("llamagate.embedding")

PARALLEL = 4
"""Calls of one request at a time."""
MOST_CUTS = 3
"""How often one text is cut before the refusal goes to the client."""
NOTHING_LEFT = "input after truncation exceeds maximum context length"
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
        self._token_limit = 0
        """Tokens to which the backend is asked to cut each text; 0: it is not asked to."""
        self._limit: TokenLimit | None = None
        """Where the backend does not cut, and texts have to be counted."""
        self._parts: list[Places] = []
        self._left_over: set[int] = set()
        """Texts of too many tokens for which no further request was left."""
        self._has_no_counts = False
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
        self._begin_anew()
        await self._choose_limit()
        first = self._parts.pop(0)
        try:
            await self._ask(first)
        except UpstreamRejected as refused:
            if refused.may_try_another:
                raise
            await self._mend(first, refused)
        await self._recount(first)

    def _begin_anew(self) -> None:
        """Forget what an earlier target took or answered."""
        self._texts = list(self._request.texts)
        self._cut.clear()
        self._left_over.clear()
        self.gathered = GatheredVectors(len(self._texts))
        self.gathered.dialect = self._target.dialect

    async def embed_rest(self) -> None:
        """Ask the same target for the other parts."""
        await self._together(self._parts)
        await self._embed_left_over()
        if self._cut:
            backend = self._target.upstream.name
            log.info("input truncated", alias=self._route.alias, backend=backend, texts=len(self._cut))

    async def _choose_limit(self) -> None:
        """Choose how texts are kept within `num_ctx`, and divide the call accordingly."""
        self._token_limit, self._limit = 0, None
        tokens, dialect = self._request.token_limit, self._target.dialect
        self._parts = parts(self._places, self._batch)
        if not tokens or dialect.protocol == "ollama":
            return  # an Ollama gets the options
        card = await catalog.get_card_soon(self._target)
        known = self._route.rule.context_length or card.context_length
        if known and tokens >= known:
            return  # the model takes no more anyway
        if self._request.truncate and dialect.embeddings and dialect.embeddings.max_tokens:
            self._token_limit = tokens
        else:
            self._parts = self._count_texts().divide(self._places, self._batch)

    def _count_texts(self) -> TokenLimit:
        """Have texts counted that may be too long, from here on."""
        if self._limit is None:
            self._token_limit = 0
            self._limit = TokenLimit(self._request.token_limit, self._texts, self._batch)
        return self._limit

    @property
    def _batch(self) -> int:
        style = self._target.dialect.embeddings
        return max(1, style.batch_size) if style is not None else 1

    async def _together(self, divided_places: Iterable[Places]) -> None:
        """Ask for several parts. The first failure cancels the others, and is the one reported."""
        try:
            async with asyncio.TaskGroup() as group:
                for places in divided_places:
                    group.create_task(self._embed_within_limit(places))
        except ExceptionGroup as failed:  # a client is told one failure, not a group of them
            raise failed.exceptions[0] from None

    async def _embed_within_limit(self, places: Places) -> None:
        """Ask for a part, and keep its texts within the limit if there is one."""
        divided = self._limit.divide(places, self._batch) if self._limit else [places]
        if len(divided) > 1:
            return await self._together(divided)
        await self._embed_part(places)
        await self._recount(places)

    async def _recount(self, places: Places) -> None:
        """Cut a text that was asked alone, as long as it has too many tokens by the backend's count."""
        limit, place = self._limit, places[0]
        if limit is None or place not in limit.doubtful:
            return
        for turn in range(1, MOST_RECOUNTS + 1):
            count = self.gathered.count_tokens(place)
            if not count:
                self._note_no_counts()
            if count <= limit.tokens:
                return
            if not self._request.truncate:
                raise BadRequest(TOO_LONG)
            if limit.room <= 0:
                raise BadRequest(NOTHING_LEFT)
            self._cut.add(place)
            if not limit.may_recount():
                self._left_over.add(place)
                return
            self._texts[place] = limit.shorten(self._texts[place], count, is_last=turn == MOST_RECOUNTS)
            await self._embed_part(places)

    async def _embed_left_over(self) -> None:
        """Cut what is still too long to what surely fits, in batches."""
        limit, left_over = self._limit, sorted(self._left_over)
        if limit is None or not left_over:
            return
        divided = parts(left_over, self._batch)
        if len(divided) > MOST_RECOUNTS_OF_CALL:
            raise BadRequest(TOO_LONG)
        for place in left_over:
            self._texts[place] = limit.cut_surely(self._texts[place])
        limit.doubtful.difference_update(left_over)
        await self._together(divided)

    def _note_no_counts(self) -> None:
        """Tell once a request that `num_ctx` has no effect."""
        if not self._has_no_counts:
            self._has_no_counts = True
            reason = "the backend counts no tokens"
            backend = self._target.upstream.name
            log.info("num_ctx has no effect", alias=self._route.alias, backend=backend, reason=reason)

    async def _embed_part(self, places: Places) -> None:
        try:
            await self._ask(places)
        except UpstreamRejected as refused:
            await self._mend(places, refused)

    async def _ask(self, places: Places) -> None:
        texts = [self._texts[place] for place in places]
        request = self._request
        is_counted = self._limit is not None
        limit = self._token_limit or (request.token_limit if is_counted else 0)
        part = EmbeddingPart(texts, self._dimensions, request.truncate, limit, is_counted, request.options)
        async with self._turns:
            reply = await self._calls.fetch(self._attempt, self._read, part)
        self.gathered.put(places, reply)

    async def _mend(self, places: Places, refused: UpstreamRejected) -> None:
        """Ask again in a way that may be taken, or raise the refusal."""
        if self._dimensions and embeddings.is_about_dimensions(refused):
            self._dimensions = 0
            await self._embed_part(places)
        elif self._request.token_limit and embeddings.is_about_token_limit(refused, self._target.dialect):
            await self._together(self._count_texts().divide(places, self._batch))
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
