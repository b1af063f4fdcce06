"""What there is: tags, show, ps, version, and the root that says that somebody is at home."""

from __future__ import annotations

import asyncio

from django.conf import settings
from django.http import HttpResponseBase

from accounts.directory import Caller
from backends import catalog
from backends.errors import NoRoute
from backends.routing import balance, registry
from backends.routing.names import canonical, matches
from backends.routing.snapshot import Rule, Target
from backends.wire.cards import ModelCard
from ollama_api import parse, residency
from ollama_api.errors import BadRequest, ModelNotFound
from ollama_api.exchange import find_route, rng
from ollama_api.request import ClientRequest
from ollama_api.responses import json_response, plain_response
from ollama_api.translate import cards
from ollama_api.translate.cards import Described


async def root(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Say that somebody is at home. The command line asks with HEAD before everything it does."""
    return plain_response("Ollama is running")


async def version(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Name the Ollama release whose behaviour this is; clients compare it."""
    return json_response({"version": settings.PROXY.ollama_version})


async def tags(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """List the names that this caller may use, newest first."""
    entries = [cards.tags_entry(model) for model in await known_models(caller)]
    entries.sort(key=lambda entry: entry.modified_at[:19], reverse=True)
    return json_response({"models": entries})


async def show(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """Describe one model."""
    call = parse.show(request.body)
    name = (call.model or call.name).strip()
    if not name:
        raise BadRequest("model is required")
    return json_response(cards.show_reply(await _described(caller, name)))


async def ps(request: ClientRequest, caller: Caller) -> HttpResponseBase:
    """List what is in use, and until when."""
    entries = []
    for alias, until in residency.in_use():
        if caller.may_use(alias):
            try:
                model = await _described(caller, alias)
            except ModelNotFound:
                continue
            entries.append(cards.ps_entry(model, int(until * 1e9)))
    return json_response({"models": entries})


async def _described(caller: Caller, name: str) -> Described:
    """Find what a name means now, as its first target has it."""
    try:
        route = await find_route(caller, name)
    except NoRoute:
        raise ModelNotFound(f"model '{cards.tagged(name)}' not found") from None
    target = balance.order(route.targets, rng)[0]
    shown = name if route.rule.is_wildcard else route.rule.name
    return Described(shown, route.rule, target, await catalog.card_of(target))


async def known_models(caller: Caller) -> list[Described]:
    """List every exact mapping, and what the wildcards match of the backends' lists."""
    snapshot = registry.current()
    upstreams = list(snapshot.upstreams.values())
    lists = await asyncio.gather(*(catalog.cards_of(upstream) for upstream in upstreams))
    by_upstream = {upstream.id: list_ for upstream, list_ in zip(upstreams, lists, strict=True)}
    found: dict[str, Described] = {}
    for rule in snapshot.exact.values():
        _add_exact(found, rule, by_upstream)
    for _, rule in snapshot.patterns:
        _add_matching(found, rule, by_upstream)
    return [model for name, model in found.items() if caller.may_use(name)]


def _add_exact(found: dict[str, Described], rule: Rule, lists: dict[int, list[ModelCard]]) -> None:
    if not rule.targets:
        return
    target = min(rule.targets, key=lambda target: target.priority)
    card = next(
        (card for card in lists[target.upstream.id] if canonical(card.id) == canonical(target.model)), None
    )
    found[canonical(rule.name)] = Described(rule.name, rule, target, card)


def _add_matching(found: dict[str, Described], rule: Rule, lists: dict[int, list[ModelCard]]) -> None:
    """Show each listed model under the name that leads to it through this pattern."""
    for target in sorted(rule.targets, key=lambda target: target.priority):
        for card in lists[target.upstream.id]:
            name = _name_through(rule, target, card)
            if name is not None:
                found.setdefault(canonical(name), Described(name, rule, _at(target, card), card))


def _name_through(rule: Rule, target: Target, card: ModelCard) -> str | None:
    """Invert the mapping: what a client has to ask for to get this model, if any name does."""
    if "*" not in target.model or not matches(target.model, card.id):
        return None
    head, _, tail = target.model.partition("*")
    return rule.name.replace("*", card.id[len(head) : len(card.id) - len(tail)])


def _at(target: Target, card: ModelCard) -> Target:
    return Target(target.upstream, card.id, target.priority, target.weight)
