"""Probes for operators: run for a mapping's targets, stored, and shown with whose word counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from backends import services
from backends.models import ModelMapping, ProbeResult
from backends.routing import knowledge
from backends.routing.snapshot import MappingRules, Target
from backends.upstream import transport
from backends.wire.model_cards import ModelCard
from core.model_names import matches
from gateway import probing
from gateway.probing import ProbeFailed
from gateway.translate.probe_questions import Finding

Say = Callable[[Finding], None]


def run(target: Target, say: Say = lambda finding: None) -> list[Finding]:
    """Probe a target and store what came. Blocks for as long as that takes. Raises `ProbeFailed`."""
    if target.upstream.is_locked_out:
        raise ProbeFailed("none of its API keys can be used: press Test on the backend to see why")
    found = asyncio.run(_gather(probing.probe(target), say))
    store(target, found)
    return found


async def _gather(findings: AsyncIterator[Finding], say: Say) -> list[Finding]:
    found = []
    try:
        async for finding in findings:
            say(finding)
            found.append(finding)
    finally:
        await transport.close()  # the pool belongs to this loop, which ends here
    return found


def store(target: Target, findings: Iterable[Finding]) -> None:
    """Put the findings in the place of those of the last probe."""
    where: dict[str, Any] = {"backend_id": target.upstream.id, "model": target.model}
    rows = [
        ProbeResult(
            **where,
            capability=finding.capability,
            verdict=finding.verdict,
            evidence=finding.evidence,
            length=finding.length,
            tokens=finding.tokens,
        )
        for finding in findings
    ]
    services.replace_probe_results(target.upstream.id, target.model, rows)


def results_of(mapping: ModelMapping) -> list[ProbeResult]:
    """Give what probes of a mapping's targets found; of a pattern's, all that it covers."""
    targets = list(mapping.targets.all())
    rows = ProbeResult.objects.filter(backend__in=[target.backend_id for target in targets])
    return [
        row
        for row in rows.select_related("backend")
        if any(row.backend_id == one.backend_id and _covers(one.model, row.model) for one in targets)
    ]


def _covers(pattern: str, model: str) -> bool:
    return matches(pattern, model) if "*" in pattern else pattern == model


def describe_for_clients(rule: MappingRules, target: Target, card: ModelCard | None) -> str:
    """Tell in one line what clients hear of a target's model, and whose word each part is."""
    facts = knowledge.abilities(rule, target, card)
    parts = [f"{word} ({fact.origin})" for word, fact in facts.items() if fact.can]
    figures = {
        "context": knowledge.context_length(rule, card),
        "vectors of": knowledge.embedding_length(target, card),
    }
    parts += [f"{what} {found.value} ({found.origin})" for what, found in figures.items() if found]
    terms = ", ".join([*parts, *_terms(card)])
    unknown = knowledge.list_assumptions(rule, target, card)
    return f"{terms}; unknown: {', '.join(unknown)}, which a probe finds out" if unknown else terms


def _terms(card: ModelCard | None) -> list[str]:
    """Tell what only operators want to know: prices, and the end of a model."""
    if card is None:
        return []
    prices = {"prompt": ("price_in", card.price_in), "answer": ("price_out", card.price_out)}
    terms = [
        f"{what} {price:g} USD a million ({'table' if field in card.from_table else 'backend'})"
        for what, (field, price) in prices.items()
        if price is not None
    ]
    return [*terms, *([f"retires {card.retires} (backend)"] if card.retires else [])]


def summary(findings: Iterable[Finding]) -> str:
    """Tell in one line what a probe found, and what it cost."""
    findings = list(findings)
    parts = [f"{finding.capability} {finding.verdict}" for finding in findings]
    return f"{', '.join(parts)}; {sum(finding.tokens for finding in findings)} tokens"
