"""`manage.py probe`: ask backends what a model can do, and remember it."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import CommandError, CommandParser

from backends.discovery import catalog
from backends.errors import NoRoute
from backends.routing import registry
from backends.routing.snapshot import Route, Target
from backends.upstream import transport
from backends.wire.model_cards import ModelCard
from console import probe_results
from console.management.base import OperatorCommand
from gateway.probing import ProbeFailed
from gateway.translate.probe_questions import Finding


class Command(OperatorCommand):
    """Probe the targets of one name. Servers that run follow what is stored."""

    help = (
        "Ask each target of a model name what it can do (tools, images, thinking and more), and store the "
        "answers: they outrank what is guessed. Eight short requests for each target, which cost tokens."
    )
    examples = """examples:
  manage.py probe gpt-4o
  manage.py probe qwen3:8b --target workstation
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name, and which backend to ask."""
        parser.add_argument("name", metavar="NAME", help="the model name as a client sends it")
        parser.add_argument("--target", metavar="BACKEND", help="ask this backend only")

    def run(self, **options: Any) -> None:
        """Probe, and print what came and what clients are told now."""
        route, _ = _look_up(options["name"])
        wanted: str | None = options["target"]
        targets = [target for target in route.targets if wanted in (None, target.upstream.name)]
        if not targets:
            known = ", ".join(sorted({target.upstream.name for target in route.targets})) or "none"
            raise CommandError(
                f"{options['name']} has no target on {wanted or 'any backend'}. Known: {known}."
            )
        failed = [target for target in targets if not self._probe(target)]
        self._tell(options["name"])
        if failed:
            raise CommandError(f"{len(failed)} of {len(targets)} could not be probed.")

    def _probe(self, target: Target) -> bool:
        self.stdout.write(f"{target.model} on {target.upstream.name}")
        try:
            found = probe_results.run(target, self._say)
        except ProbeFailed as reason:
            self.stdout.write(f"  not probed: {reason}")
            return False
        self.stdout.write(f"  {sum(finding.tokens for finding in found)} tokens used")
        return True

    def _say(self, finding: Finding) -> None:
        self.stdout.write(f"  {finding.capability:<14} {finding.verdict:<8} {finding.evidence}")
        self.stdout.flush()

    def _tell(self, name: str) -> None:
        route, cards = _look_up(name)
        for target, card in zip(route.targets, cards, strict=True):
            description = probe_results.describe_for_clients(route.rule, target, card)
            self.stdout.write(f"clients are told of {target.model} on {target.upstream.name}: {description}")


def _look_up(name: str) -> tuple[Route, list[ModelCard]]:
    """Resolve a name in the routing table, freshly read, with what the backends say of its targets."""
    route = registry.load()[1].resolve(name)
    if route is None:
        raise CommandError(f"{name} leads nowhere: no mapping matches.")
    try:
        return asyncio.run(_with_cards(route))
    except NoRoute:
        raise CommandError(f"{name} leads nowhere: no backend lists it.") from None


async def _with_cards(route: Route) -> tuple[Route, list[ModelCard]]:
    try:
        route = await catalog.narrow(route)
        return route, [await catalog.card_of(target) for target in route.targets]
    finally:
        catalog.forget()  # what it holds belongs to this loop
        await transport.close()
