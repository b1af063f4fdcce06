"""Which models each backend lists, in this process's memory.

A wildcard maps names that only the backends can confirm. Lists are read in the background and kept: a
request waits for one only the first time, or when it asks for a name that a list does not have yet. When a
list cannot be had, every name may exist.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import msgspec
import structlog
from django.conf import settings

from backends.discovery import model_lists, model_table
from backends.errors import NoRoute, UpstreamError
from backends.routing.snapshot import Route, Target, Upstream, note_inabilities
from backends.wire.model_cards import ModelCard, override_card
from core.model_names import Pattern, canonical, is_acceptable

log = structlog.get_logger("llamagate.catalog")

# A name that is missing may be new at the backend: look again, but not more often than this.
LOOK_AGAIN_S = 2.0
# A backend that describes each model by itself is asked for so many at each look, a few at a time.
DESCRIBED_AT_ONCE = 32
DESCRIBED_TOGETHER = 4
A_MOMENT_S = 1.0
MOST_LISTED = 20_000
"""Models of one list; the largest gateways have some thousands."""
MOST_PATTERNS = 1000
"""Patterns of one list: each is tried for a name that is not listed."""
MOST_LISTINGS = 1000
"""Backends, each by its address: an address that was changed leaves a list behind."""
MOST_DESCRIBED = 1000
"""Where a list cannot be had, names come from clients."""


class Listing:
    """One backend's list."""

    __slots__ = (
        "_described",
        "_few",
        "_patterns",
        "_reading",
        "_upstream",
        "cards",
        "is_complete",
        "is_known",
        "looked_at",
    )

    def __init__(self, upstream: Upstream) -> None:
        self.cards: dict[str, ModelCard] = {}
        self.is_known = False
        """Whether the last look brought a list."""
        self.is_complete = False
        """Whether that list has all that there is."""
        self.looked_at = float("-inf")
        self._patterns: list[Pattern] = []
        """Entries with a star, as gateways list them that let every name through to a provider."""
        self._upstream = upstream
        self._reading: asyncio.Task[None] | None = None
        self._described: dict[str, ModelCard | None] = {}
        """What the backend says of single models; None: it was asked in vain."""
        self._few = asyncio.Semaphore(DESCRIBED_TOGETHER)

    def is_older_than(self, age_s: float) -> bool:
        """Say whether the last look, good or bad, is that long ago."""
        return time.monotonic() - self.looked_at > age_s

    @property
    def has_been_read(self) -> bool:
        """Say whether a look, good or bad, is over."""
        return self.looked_at > float("-inf")

    async def look(self, upstream: Upstream) -> None:
        """Wait for a fresh list. Whoever stops waiting does not stop the others' reading."""
        await asyncio.shield(self.refresh(upstream))

    def refresh(self, upstream: Upstream) -> asyncio.Task[None]:
        """Read the list once, however many ask for it meanwhile."""
        self._upstream = upstream
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        if not self._upstream.dialect.models_path:
            return self._note(known=False, reason="this kind of server has no list")
        try:
            listed = await model_lists.list_models(self._upstream)
        except UpstreamError as error:
            return self._note(known=False, reason=str(error))
        entries = listed.cards[:MOST_LISTED]
        patterns = [Pattern(card.id) for card in entries if card.id.count("*") == 1]
        # What nobody may ask for is not listed.
        usable = {canonical(card.id): card for card in entries if is_acceptable(card.id)}
        if entries and not usable and not patterns:
            return self._note(known=False, reason="its list has no name that can be asked for")
        before, self.cards = self.cards, usable
        self._patterns = patterns[:MOST_PATTERNS]
        self.is_complete = listed.is_complete and len(listed.cards) <= MOST_LISTED
        # Known from here on: a gateway that is asked of its models may come back here to describe them.
        self._note(known=True)
        if model_lists.describes_singly(self._upstream.dialect):
            same = {name for name, card in before.items() if self.cards.get(name) == card}
            self._described = {name: card for name, card in self._described.items() if card and name in same}
            unknown = [card for name, card in self.cards.items() if name not in self._described]
            await asyncio.gather(*(self._describe(card.id) for card in unknown[:DESCRIBED_AT_ONCE]))

    def find(self, model: str) -> ModelCard | None:
        """Give the card of a name that the list has: by itself, as a variant of another, or by a pattern."""
        name = canonical(model)
        card = self.cards.get(name) or self._find_variant(name)
        if card is None and any(pattern.match(model) is not None for pattern in self._patterns):
            return ModelCard(model)
        return card

    def _find_variant(self, name: str) -> ModelCard | None:
        """Give the card of a listed model's variant, such as `m:online`: it has prices of its own."""
        stem, _, variant = name.rpartition(":")
        card = self.cards.get(canonical(stem)) if stem else None
        if card is None or variant not in self._upstream.dialect.model_variants:
            return None
        return msgspec.structs.replace(
            card, id=f"{card.id}:{variant}", aliases=(), price_in=None, price_out=None
        )

    async def card_of(self, model: str) -> ModelCard:
        """Give what is known of a model, asking for it by itself where the backend is one that needs that."""
        name = canonical(model)
        if model_lists.describes_singly(self._upstream.dialect) and name not in self._described:
            await self._describe(model)
        return self.get_known_card(model)

    def get_known_card(self, model: str) -> ModelCard:
        """Give what is known of a model by now, with the gaps filled from our table."""
        name = canonical(model)
        card = self.find(model) or ModelCard(model)
        more = self._described.get(name)
        return model_table.fill_gaps(override_card(card, more) if more else card, self._upstream.base_url)

    async def _describe(self, model: str) -> None:
        async with self._few:
            if len(self._described) >= MOST_DESCRIBED:
                self._described.clear()
            found = await model_lists.describe_model(Target(self._upstream, model))
            self._described[canonical(model)] = found

    def _note(self, *, known: bool, reason: str = "") -> None:
        if known != self.is_known or self.looked_at == float("-inf"):
            log.info(
                "model list", backend=self._upstream.name, known=known, models=len(self.cards), reason=reason
            )
        self.is_known = known
        self.looked_at = time.monotonic()


_listings: dict[tuple[int, str], Listing] = {}


def listing(upstream: Upstream) -> Listing:
    """Give the backend's listing, in whatever state; an old one is refreshed behind the scenes."""
    key = (upstream.id, upstream.base_url)
    found = _listings.get(key)
    if found is None:
        while len(_listings) >= MOST_LISTINGS:
            del _listings[next(iter(_listings))]
        found = _listings[key] = Listing(upstream)
    elif found.is_older_than(settings.PROXY.model_list_ttl_s):
        found.refresh(upstream)
    return found


def forget() -> None:
    """Forget every list: after the event loop is gone, or between tests."""
    _listings.clear()


async def cards_of(upstream: Upstream) -> list[ModelCard]:
    """List the backend's models as far as they are known, waiting for the first look only."""
    found = await _look_at(upstream)
    return [found.get_known_card(card.id) for card in found.cards.values()]


async def await_first_look(upstream: Upstream) -> None:
    """Wait a moment for the first look: what it tells is good to have, and no name hangs on it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(A_MOMENT_S):
            await _look_at(upstream)


async def card_of(target: Target) -> ModelCard:
    """Give what is known of a target's model; of one that no list has, what our table knows."""
    return await (await _look_at(target.upstream)).card_of(target.model)


def get_known_card(target: Target) -> ModelCard:
    """Give what is known of a target's model by now, without asking anybody."""
    return listing(target.upstream).get_known_card(target.model)


async def get_card_soon(target: Target) -> ModelCard:
    """Give what is known of a target's model, waiting a moment for the first look only."""
    if not listing(target.upstream).has_been_read:
        await await_first_look(target.upstream)
    return get_known_card(target)


def get_seen_card(target: Target) -> ModelCard | None:
    """Give what was heard of a target's model, if anything: for threads without an event loop to ask in."""
    found = _listings.get((target.upstream.id, target.upstream.base_url))
    return found.get_known_card(target.model) if found is not None and found.has_been_read else None


async def _look_at(upstream: Upstream) -> Listing:
    found = listing(upstream)
    if found.is_older_than(settings.PROXY.model_list_ttl_s):
        await found.look(upstream)
    return found


async def narrow(route: Route) -> Route:
    """Keep of a wildcard's targets those that exist, in the backend's own spelling.

    Raises:
        NoRoute: no backend lists the name.
    """
    if not route.rule.is_wildcard:
        return route
    found = [await _confirm(target) for target in route.targets]
    targets = tuple(target for target in found if target is not None)
    if not targets:
        raise NoRoute(route.alias)
    return msgspec.structs.replace(route, targets=targets, rule=note_inabilities(route.rule, targets))


def is_known(route: Route) -> bool:
    """Say whether the operator or a backend's list has the name; else it is passed on in good faith."""
    return not route.rule.is_wildcard or any(
        listing(target.upstream).find(target.model) is not None for target in route.targets
    )


async def _confirm(target: Target) -> Target | None:
    upstream = target.upstream
    found = listing(upstream)
    card = found.find(target.model)
    if card is None and found.is_older_than(LOOK_AGAIN_S):
        await found.look(upstream)
        card = found.find(target.model)
    if card is not None:
        return target if card.id == target.model else msgspec.structs.replace(target, model=card.id)
    return None if found.is_known and found.is_complete else target
