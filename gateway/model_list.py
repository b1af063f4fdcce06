"""Which names a caller can use: every exact mapping, and what the wildcards match of the backends' lists."""

from __future__ import annotations

import asyncio

import msgspec

from accounts.directory import Caller
from backends.discovery import catalog
from backends.routing import registry
from backends.routing.snapshot import MappingRules, Route, RoutingSnapshot, Target
from backends.wire.model_cards import ModelCard
from core.model_names import canonical, compiled, is_acceptable


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
        _add_matching(found, rule, by_upstream, snapshot)
    return [model for name, model in found.items() if caller.may_use(name)]


def spell_name(route: Route, target: Target, requested: str) -> str:
    """Give a name as the list spells it: by its mapping, or by the backend's list; else as it was asked for.

    `target`: one of the route's, under the backend's name for the model.
    """
    if not route.rule.is_wildcard:
        return route.rule.name
    ways = (way for way in route.rule.targets if way.upstream.id == target.upstream.id)
    names = (_name_through(route.rule, way, target.model) for way in ways)
    return next((name for name in names if name and canonical(name) == route.alias), requested)


def _add_exact(found: dict[str, DescribedModel], rule: MappingRules) -> None:
    if not rule.targets:
        return
    target = min(rule.targets, key=lambda target: target.priority)
    found[canonical(rule.name)] = DescribedModel(rule.name, rule, target, catalog.get_known_card(target))


def _add_matching(
    found: dict[str, DescribedModel],
    rule: MappingRules,
    lists: dict[int, list[ModelCard]],
    snapshot: RoutingSnapshot,
) -> None:
    """Show each listed model under the name that leads to it through this pattern, and through no other."""
    for target in sorted(rule.targets, key=lambda target: target.priority):
        for card in lists[target.upstream.id]:
            if not card.active:
                continue
            name = _name_through(rule, target, card.id)
            if name is not None and _leads_through(rule, name, snapshot):
                found.setdefault(canonical(name), DescribedModel(name, rule, _at(target, card), card))


def _name_through(rule: MappingRules, target: Target, model: str) -> str | None:
    """Invert the mapping: what a client has to ask for to get this model, if any name does."""
    if "*" not in target.model:
        return None
    stem = compiled(target.model).match(model)
    if stem is None:
        return None
    name = rule.name.replace("*", stem)
    return name if stem or is_acceptable(name) else None


def _leads_through(rule: MappingRules, name: str, snapshot: RoutingSnapshot) -> bool:
    """Say whether no more specific pattern has the name: that may lead where it does not exist."""
    if snapshot.patterns[0][1] is rule:
        return True
    route = snapshot.resolve(name)
    return route is None or route.rule is rule or not route.rule.is_wildcard


def _at(target: Target, card: ModelCard) -> Target:
    return Target(target.upstream, card.id, target.priority, target.weight)
