"""Which names a caller can use: every exact mapping, and what the wildcards match of the backends' lists."""

from __future__ import annotations

import asyncio

import msgspec

from accounts.directory import Caller
from backends.discovery import catalog
from backends.routing import registry
from backends.routing.snapshot import MappingRules, Target
from backends.wire.model_cards import ModelCard
from core.model_names import canonical, compiled


class DescribedModel(msgspec.Struct, frozen=True):
    """One name that clients may use, the target that describes it, and what its backend says of that."""

    name: str
    rule: MappingRules
    target: Target
    card: ModelCard | None


async def list_known_models(caller: Caller) -> list[DescribedModel]:
    """List every exact mapping, and what the wildcards match of the backends' lists."""
    snapshot = registry.current()
    wild = {target.upstream.id for _, rule in snapshot.patterns for target in rule.targets}
    upstreams = [upstream for upstream in snapshot.upstreams.values() if upstream.id in wild]
    # What only exact names lead to is not waited for long: it may be slow, or a gateway that asks back here.
    rest = [upstream for upstream in snapshot.upstreams.values() if upstream.id not in wild]
    soon = asyncio.gather(*(catalog.await_first_look(upstream) for upstream in rest))
    lists = await asyncio.gather(*(catalog.cards_of(upstream) for upstream in upstreams))
    await soon
    by_upstream = {upstream.id: list_ for upstream, list_ in zip(upstreams, lists, strict=True)}
    found: dict[str, DescribedModel] = {}
    for rule in snapshot.exact.values():
        _add_exact(found, rule)
    for _, rule in snapshot.patterns:
        _add_matching(found, rule, by_upstream)
    return [model for name, model in found.items() if caller.may_use(name)]


def _add_exact(found: dict[str, DescribedModel], rule: MappingRules) -> None:
    if not rule.targets:
        return
    target = min(rule.targets, key=lambda target: target.priority)
    found[canonical(rule.name)] = DescribedModel(rule.name, rule, target, catalog.get_known_card(target))


def _add_matching(
    found: dict[str, DescribedModel], rule: MappingRules, lists: dict[int, list[ModelCard]]
) -> None:
    """Show each listed model under the name that leads to it through this pattern."""
    for target in sorted(rule.targets, key=lambda target: target.priority):
        for card in lists[target.upstream.id]:
            if not card.active:
                continue
            name = _name_through(rule, target, card)
            if name is not None:
                found.setdefault(canonical(name), DescribedModel(name, rule, _at(target, card), card))


def _name_through(rule: MappingRules, target: Target, card: ModelCard) -> str | None:
    """Invert the mapping: what a client has to ask for to get this model, if any name does."""
    if "*" not in target.model:
        return None
    stem = compiled(target.model).match(card.id)
    return None if stem is None else rule.name.replace("*", stem)


def _at(target: Target, card: ModelCard) -> Target:
    return Target(target.upstream, card.id, target.priority, target.weight)
