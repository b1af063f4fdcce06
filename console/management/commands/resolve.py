"""`manage.py resolve`: where a model name leads, and why."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from random import Random
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.models import Team
from backends.models import ModelMapping
from backends.routing import knowledge, registry
from backends.routing.snapshot import Route, RoutingSnapshot, Target
from console import learned_notes
from console.management.base import OperatorCommand
from core.model_names import canonical, matches
from gateway.generation import GenerationRequest
from gateway.plan import make_plan


class Command(OperatorCommand):
    """Ask the routing table that requests use, freshly read. No backend is asked."""

    help = "Show where a model name leads, and why. Exit code 1 if it leads nowhere."
    examples = """examples:
  manage.py resolve gpt-4o
  manage.py resolve qwen3:8b --team research
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name, and who asks."""
        parser.add_argument("name", metavar="NAME", help="the model name as a client sends it")
        parser.add_argument(
            "--forget-learned",
            action="store_true",
            help="forget what was learnt from refusals of its targets",
        )
        parser.add_argument("--team", help="also say whether this team may use it")

    def run(self, **options: Any) -> None:
        """Print the route, or fail with the reason that there is none."""
        name: str = options["name"]
        _, snapshot = registry.load()
        route = snapshot.resolve(name)
        if route is None:
            raise CommandError(_why_nothing(name))
        for line in [*_describe(name, route), *_list_passed_over(name, route, snapshot)]:
            self.stdout.write(line)
        self._tell_lessons(route, forgets=options["forget_learned"])
        if options["team"]:
            self.stdout.write(_permission(options["team"], name))
        if not any(not target.upstream.is_locked_out for target in route.targets):
            raise CommandError(f"{name} leads nowhere: no target of {route.rule.name!r} can be used.")

    def _tell_lessons(self, route: Route, *, forgets: bool) -> None:
        """Tell what was learnt from refusals of the targets, and forget it if that is wished for."""
        learned_notes.load()
        for name, lesson in learned_notes.list_notes(route.targets):
            self.stdout.write(f"  learnt from refusals: {name}: {lesson}")
        if forgets:
            learned_notes.forget(route.targets)
            self.stdout.write("  What was learnt from refusals is forgotten.")


def _list_disabled_mappings(name: str) -> list[str]:
    return [
        mapping.name for mapping in ModelMapping.objects.filter(enabled=False) if matches(mapping.name, name)
    ]


def _list_passed_over(name: str, route: Route, snapshot: RoutingSnapshot) -> list[str]:
    """Name the other mappings that the name matches, and why none of them has it."""
    reason, reasons = "its star would stand for nothing, and name no target", {}
    if not route.rule.is_wildcard:
        reason = "an exact name wins"
    for rule in snapshot.list_matching_patterns(name):
        if rule is route.rule:
            reason = "it is less specific"
        else:
            reasons[rule.name] = reason
    reasons |= dict.fromkeys(_list_disabled_mappings(name), "it is disabled")
    return [f"  passed over: mapping {other!r} ({reason})" for other, reason in reasons.items()]


def _why_nothing(name: str) -> str:
    disabled = _list_disabled_mappings(name)
    reason = f"the mapping {disabled[0]!r} is disabled" if disabled else "no mapping matches"
    return f"{name} leads nowhere: {reason}."


def _describe(name: str, route: Route) -> list[str]:
    kind = "pattern" if route.rule.is_wildcard else "exact name"
    lines = [f"{name} -> mapping {route.rule.name!r} ({kind})"]
    plan = make_plan(GenerationRequest(model=name), route, Random(0))  # noqa: S311  # orders nothing here
    reasons = {skipped.target: skipped.reason for skipped in plan.skipped}
    targets = sorted(route.targets, key=lambda target: (target.priority, -target.weight))
    for _, group in groupby(targets, key=lambda target: target.priority):
        lines += _describe_group(list(group), reasons)
    lines += _describe_assumptions(name, route)
    lines += [f"  not used: {line}" for line in _list_disabled_targets(route)]
    if route.rule.is_wildcard:
        lines.append("  Through a pattern a name exists only if the backend lists it (not asked here).")
    return lines


def _describe_assumptions(name: str, route: Route) -> list[str]:
    """Tell what is only assumed of the models, and how to find out. What backends tell is not read here."""
    found: dict[str, list[str]] = {}
    for target in route.targets:
        words = ", ".join(knowledge.list_assumptions(route.rule, target, None))
        if words and not target.upstream.is_locked_out:
            found.setdefault(words, []).append(f"{target.model} on {target.upstream.name}")
    return [
        f"  unknown, unless the backend tells: {words} of {', '.join(models)}; `manage.py probe {name}` asks"
        for words, models in found.items()
    ]


def _describe_group(targets: list[Target], reasons: Mapping[Target, str]) -> list[str]:
    """Tell targets of one priority: the share that weights give each, and why one is not asked."""
    total = sum(target.weight for target in targets)
    return [
        f"  {target.model} on {target.upstream.name} (priority {target.priority}, weight {target.weight}"
        f"{f' of {total}' if len(targets) > 1 else ''}){_explain_skip_reason(reasons.get(target))}"
        for target in targets
    ]


def _explain_skip_reason(reason: str | None) -> str:
    return f" cannot be used: {reason}" if reason else ""


def _list_disabled_targets(route: Route) -> list[str]:
    """Name the targets that the routing table does not hold, with the switch that is off."""
    mapping = ModelMapping.objects.get(name=route.rule.name)
    return [
        f"{target} ({'backend' if target.enabled else 'target'} disabled)"
        for target in mapping.targets.select_related("backend")
        if not (target.enabled and target.backend.enabled)
    ]


def _permission(team_name: str, name: str) -> str:
    team = Team.objects.filter(name=team_name).first()
    if team is None:
        known = ", ".join(Team.objects.values_list("name", flat=True))
        raise CommandError(f"There is no team {team_name!r}. Known: {known}.")
    if not team.enabled:
        raise CommandError(f"The team {team_name} is disabled: it may use nothing.")
    if not any(matches(pattern, name) for pattern in team.allowed_models):
        raise CommandError(
            f"The team {team_name} may not use {canonical(name)}, only: {', '.join(team.allowed_models)}."
        )
    return f"  The team {team_name} may use it."
