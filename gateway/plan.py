"""Which targets are asked for a request, in which order, and why; and why not the others.

Whatever speaks for or against a target stands here and nowhere else: that it is able, that its key can be
opened, that it is well, its priority and weight. What cannot be asked uses up no attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random

import msgspec

from backends.errors import BackendError, NoTargetLeft, UpstreamUnreachable
from backends.routing import balance
from backends.routing.snapshot import Route, Target
from gateway.capabilities import list_needed_capabilities
from gateway.errors import RequestError
from gateway.operation import Operation
from gateway.upstream_routes import UpstreamRoute, choose_route, explain_inability

KEY_LOCKED = "its API keys cannot be opened, or are for another server"


class Candidate(msgspec.Struct, frozen=True):
    """A target, the form in which it is asked, and the reason for its place."""

    target: Target
    route: UpstreamRoute
    reason: str = ""


class SkippedTarget(msgspec.Struct, frozen=True):
    """A target that is not asked, and why."""

    target: Target
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """The targets of one request, in the order in which they are asked, and those that are not asked."""

    candidates: list[Candidate]
    skipped: list[SkippedTarget] = []
    failure: BackendError | RequestError | None = None
    """Why there is no candidate."""

    def require_candidates(self) -> list[Candidate]:
        """Give the candidates. Raises what explains that there is none."""
        if self.candidates:
            return self.candidates
        raise self.failure or NoTargetLeft("", "no target")


FindFault = Callable[[Target], str]
"""Says why a target is not worth asking now; empty if it is."""


def find_no_fault(_: Target) -> str:
    """Take every target for well: where nothing is asked, nothing is known."""
    return ""


def make_plan(operation: Operation, route: Route, rng: Random, find_fault: FindFault = find_no_fault) -> Plan:
    """Plan a request over the targets of its route; `find_fault` tells which are not well now."""
    able: list[tuple[Target, UpstreamRoute]] = []
    skipped: list[SkippedTarget] = []
    for target in route.targets:
        upstream_route = choose_route(operation, target, route.rule)
        if upstream_route is None:
            skipped.append(SkippedTarget(target, "this kind of backend has no route for what is asked"))
        else:
            able.append((target, upstream_route))
    if not able:
        return Plan([], skipped, explain_inability(operation))
    open_ones = _leave_out_locked_targets(able, skipped)
    if not open_ones:
        name = able[-1][0].upstream.name
        return Plan([], skipped, UpstreamUnreachable(name, KEY_LOCKED))
    if len(open_ones) > 1 and not route.rule.capabilities:
        open_ones = _leave_out_unable_targets(open_ones, list_needed_capabilities(operation), skipped)
    if len(open_ones) > 1:
        open_ones = _leave_out_faulty_targets(open_ones, find_fault, skipped)
    return Plan(_put_in_order(open_ones, rng), skipped)


def _leave_out_locked_targets(
    able: list[tuple[Target, UpstreamRoute]], skipped: list[SkippedTarget]
) -> list[tuple[Target, UpstreamRoute]]:
    locked = [one for one in able if one[0].upstream.is_locked_out]
    if not locked:
        return able
    skipped += [SkippedTarget(target, KEY_LOCKED) for target, _ in locked]
    return [one for one in able if one not in locked]


def _leave_out_unable_targets(
    able: list[tuple[Target, UpstreamRoute]], needed: Collection[str], skipped: list[SkippedTarget]
) -> list[tuple[Target, UpstreamRoute]]:
    """Leave out what a probe found unable, if others are left; the operator's word outranks probes."""
    lacks = {
        target: word for target, _ in able for word in needed if target.probe_results.can.get(word) is False
    }
    if not lacks or len(lacks) == len(able):
        return able
    skipped += [
        SkippedTarget(target, f"a probe found that it cannot: {word}") for target, word in lacks.items()
    ]
    return [one for one in able if one[0] not in lacks]


def _leave_out_faulty_targets(
    able: list[tuple[Target, UpstreamRoute]], find_fault: FindFault, skipped: list[SkippedTarget]
) -> list[tuple[Target, UpstreamRoute]]:
    """Leave out what failed again and again, if others are left: a wrong verdict must not be an outage."""
    faults = {target: fault for target, _ in able if (fault := find_fault(target))}
    if not faults or len(faults) == len(able):
        return able
    skipped += [SkippedTarget(target, fault) for target, fault in faults.items()]
    return [one for one in able if one[0] not in faults]


def _put_in_order(able: list[tuple[Target, UpstreamRoute]], rng: Random) -> list[Candidate]:
    if len(able) == 1:
        return [Candidate(*able[0], "the only target left")]
    routes = dict(able)
    return [
        Candidate(target, routes[target], f"priority {target.priority}, weight {target.weight}")
        for target in balance.order(routes, rng)
    ]
