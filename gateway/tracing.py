"""A request that is planned and translated, but not sent: it tells operators what would happen."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, RoutingSnapshot
from gateway import learned_fields
from gateway.capabilities import check_capabilities
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics, TranslationContext
from gateway.errors import ModelNotFound
from gateway.mapping_rules import apply_rules
from gateway.plan import Candidate, SkippedTarget, make_plan
from gateway.trace_report import TraceReport, report_target
from gateway.translate.learning import apply_lesson, list_forced_members
from gateway.upstream_routes import build_body


class TargetTrace(msgspec.Struct, frozen=True):
    """What one target would get, and why it stands in its place."""

    candidate: Candidate
    report: TraceReport
    body: Mapping[str, Any]


def trace_request(
    api: ClientApi, body: bytes, snapshot: RoutingSnapshot
) -> tuple[list[TargetTrace], list[SkippedTarget]]:
    """Plan and translate for every target. Raises `RequestError` as the request itself would."""
    raw = api.raw
    call = (raw or api).parse(body)
    route = snapshot.resolve(call.model)
    if route is None:
        raise ModelNotFound(f"model '{call.model}' not found")
    if raw is not None and all(getattr(one.dialect, raw.protocol) for one in route.targets):
        api = raw
    elif raw is not None:
        call = api.parse(body)
    base = Diagnostics()
    operation = api.translate(call, base)
    check_capabilities(operation, route.rule)
    rule_notes = Diagnostics()
    apply_rules(route.rule, operation, rule_notes)
    plan = make_plan(operation, route, Random(0))  # noqa: S311  # an order to show, which guards nothing
    traced = [_trace(operation, candidate, rule_notes, route.rule) for candidate in plan.require_candidates()]
    return traced, plan.skipped


def _trace(operation: Any, candidate: Candidate, rule_notes: Diagnostics, rule: MappingRules) -> TargetTrace:
    diagnostics = Diagnostics()
    diagnostics.extend(rule_notes)
    body, _ = build_body(candidate.route, operation, candidate.target, TranslationContext(diagnostics))
    lesson, dialect = learned_fields.find(candidate.target), candidate.target.dialect
    if lesson is not None and not isinstance(body, bytes):
        forced = list_forced_members(operation, rule.forced_options, dialect)
        body = apply_lesson(body, lesson, dialect, forced, diagnostics)
    members = body if not isinstance(body, bytes) else {}
    return TargetTrace(candidate, report_target(candidate.target, operation, members, diagnostics), members)
