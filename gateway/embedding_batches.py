"""Texts on their way to one backend: in parts as large as it takes, a few at a time, cut where need be.

The first part finds the target. The others go there and nowhere else: vectors of two models, or of two
servers' idea of one, must never stand in one answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog
from django.conf import settings

from backends.discovery import catalog
from backends.errors import UpstreamGarbled, UpstreamOversized, UpstreamRejected
from backends.routing import balance
from backends.routing.snapshot import Route, Target
from backends.upstream import client as upstream
from backends.wire.native import decode_embeddings_reply
from backends.wire.openai_types import BadReply, EmbeddingReply, decode_embeddings
from backends.wire.overflow import lengths
from gateway.errors import BadRequest
from gateway.pipeline import rng
from gateway.translate import embeddings, ollama_native
from gateway.translate.truncation import Places, cut, divide, parts
from usage.ledger import Entry

log = structlog.get_logger("llamagate.embedding")

PARALLEL = 4
"""Calls of one request at a time."""
MOST_CUTS = 3
"""How often one text is cut before the refusal is told."""
TOO_LONG = "the input length exceeds the context length"


class Protocol(msgspec.Struct, frozen=True):
    """How a backend is asked."""

    path: str
    is_from_root: bool
    body: Callable[..., dict[str, Any]]
    decode: Callable[[bytes], EmbeddingReply]


PROTOCOLS = {
    "openai": Protocol(embeddings.PATH, False, embeddings.to_upstream, decode_embeddings),
    "ollama": Protocol(ollama_native.EMBED_PATH, True, ollama_native.embed_body, decode_embeddings_reply),
}


class EmbeddingWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants embedded, and how."""

    model: str
    texts: list[str]
    dimensions: int = 0
    truncate: bool = True


async def ask(wish: EmbeddingWish, route: Route, entry: Entry) -> tuple[Target, embeddings.Gathered]:
    """Embed all texts. Raises an `UpstreamError`, a `RequestError`, or what the first failing part raises."""
    targets = [target for target in route.targets if target.dialect.embed is not None]
    if not targets:
        raise BadRequest(embeddings.describe_unsupported(wish.model))
    asking = _Asking(wish, route, entry)
    await asking.all_of(balance.order(tuple(targets), rng))
    entry.prompt_tokens = asking.gathered.tokens
    return asking.target, asking.gathered


class _Asking:
    """One request. Texts are known by their place in it."""

    def __init__(self, wish: EmbeddingWish, route: Route, entry: Entry) -> None:
        self._wish = wish
        self._route = route
        self._entry = entry
        self._texts = list(wish.texts)
        self._places = range(len(wish.texts))
        self._dimensions = wish.dimensions
        """What the backend is asked for: 0 once it has refused, and then vectors are cut here."""
        self._cut: set[int] = set()
        self._turns = asyncio.Semaphore(PARALLEL)
        self._size = 0
        """Bytes of all answers: however many parts there are, they are one answer."""
        self.gathered = embeddings.Gathered(len(wish.texts))
        self.target: Target
        """The one that is asked; once it has answered, for good."""

    async def all_of(self, targets: list[Target]) -> None:
        try:
            reply = await upstream.ask(targets, self._first, self._read)
        except UpstreamRejected as refused:
            await self._mend(self._first_part(), refused)
        else:
            self.gathered.put(self._first_part(), reply)
        rest = self._places[self._batch :]
        await self._together(parts(rest, self._batch))
        if self._cut:
            log.info(
                "input truncated", alias=self._route.alias, backend=self._entry.backend, texts=len(self._cut)
            )

    def _first(self, target: Target) -> upstream.UpstreamCall:
        self.target = target
        self._entry.backend, self._entry.upstream_model = target.upstream.name, target.model
        self._entry.sent_ns = time.monotonic_ns()
        return self._build(target, self._first_part())

    @property
    def _batch(self) -> int:
        style = self.target.dialect.embed
        return max(1, style.batch) if style is not None else 1

    def _first_part(self) -> Places:
        return self._places[: self._batch]

    def _build(self, target: Target, places: Places) -> upstream.UpstreamCall:
        texts = [self._texts[place] for place in places]
        way = PROTOCOLS[target.dialect.protocol]
        body = way.body(texts, self._dimensions, target, truncate=self._wish.truncate)
        return upstream.UpstreamCall(way.path, msgspec.json.encode(body), from_root=way.is_from_root)

    async def _together(self, divided_places: Iterable[Places]) -> None:
        """Ask for several parts. The first that fails ends them all, and is what is told."""
        try:
            async with asyncio.TaskGroup() as group:
                for places in divided_places:
                    group.create_task(self._part(places))
        except ExceptionGroup as failed:  # a client is told one failure, not a group of them
            raise failed.exceptions[0] from None

    async def _part(self, places: Places) -> None:
        try:
            await self._ask(places)
        except UpstreamRejected as refused:
            await self._mend(places, refused)

    async def _ask(self, places: Places) -> None:
        async with self._turns:
            reply = await upstream.ask([self.target], lambda target: self._build(target, places), self._read)
        self.gathered.put(places, reply)

    async def _mend(self, places: Places, refused: UpstreamRejected) -> None:
        """Ask again in a way that may be taken, or raise the refusal."""
        if self._dimensions and embeddings.is_about_dimensions(refused):
            self._dimensions = 0
            await self._part(places)
        elif refused.is_no_route:
            raise BadRequest(embeddings.describe_unsupported(self._wish.model))
        elif not refused.is_too_long:
            raise refused
        elif len(places) > 1:
            limit = lengths(refused.message).limit or await self._context_length()
            await self._together(divide(self._texts, places, limit))
        elif not self._wish.truncate:
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
        card = await catalog.card_of(self.target)
        return self._route.rule.context_length or card.context_length

    def _read(self, answer: upstream.WholeAnswer) -> EmbeddingReply:
        name = answer.target.upstream.name
        try:
            reply = PROTOCOLS[answer.target.dialect.protocol].decode(answer.body)
        except BadReply as error:
            raise UpstreamGarbled(name, f"embeddings not understood: {error}") from None
        if reply.error is not None:
            raise upstream.error_in(answer.target, reply.error)
        self._size += len(answer.body)
        if self._size > settings.PROXY.max_answer_bytes:
            raise UpstreamOversized(name, settings.PROXY.max_answer_bytes, "LLAMAGATE_MAX_ANSWER_BYTES")
        return reply
