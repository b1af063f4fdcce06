"""Mappings in the admin, with what backends were found to be able to do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from backends.admin import ModelMappingAdmin
from backends.discovery import catalog
from backends.models import ModelMapping, ProbeResult
from backends.routing import registry
from backends.routing.snapshot import Route, Target
from console import learned_notes, probe_results
from core.admin_base import PRESSED
from gateway import learned_fields
from gateway.probing import ProbeFailed

PATTERN = (
    "{} is a pattern, and only a model can be probed: give the model a mapping of its own, "
    "or run `manage.py probe MODEL`."
)
UNREAD = "; the backend's own list was not read by this process yet"
NOTHING_LEARNED = "Nothing: every field is sent that the dialect has."
NOT_PROBED = "Nothing was probed. Until then clients are told what the backend says, or what is guessed."

admin.site.unregister(ModelMapping)


@admin.register(ModelMapping)
class ProbedMappingAdmin(ModelMappingAdmin):
    """Names that clients use, where they lead, and what is known of that."""

    list_display = [*ModelMappingAdmin.list_display, "probe"]
    readonly_fields = [
        *ModelMappingAdmin.readonly_fields,
        "client_view",
        "probe_findings",
        "lessons_from_refusals",
    ]
    buttons = {**ModelMappingAdmin.buttons, "probe": "run_probe", "forget": "forget_lessons"}

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Offer no button to those who may not press it."""
        columns = list(self.list_display)
        return columns if self.has_change_permission(request) else columns[:-1]

    def get_fieldsets(self, request: HttpRequest, obj: ModelMapping | None = None) -> list[Any]:
        """Add what is known, once there is something to know of."""
        sections = super().get_fieldsets(request, obj)
        known = (
            [
                (
                    "What is known of its models",
                    {"fields": ["client_view", "probe_findings", "lessons_from_refusals"]},
                )
            ]
            if obj is not None
            else []
        )
        return [*sections, *known]

    @admin.display(description="")
    def probe(self, row: ModelMapping) -> SafeString:
        """Offer the probe."""
        return self.row_button(
            "probe", row, "Probe", "Asks each target what it can do, with eight short requests"
        )

    @admin.display(description="Clients are told")
    def client_view(self, row: ModelMapping) -> SafeString | str:
        """Show for each target what clients see of its model, and the source of each part."""
        return format_html_join("", '<span class="lg-sub">{}: {}</span>', _describe_targets(row)) or "-"

    @admin.display(description="Probes found")
    def probe_findings(self, row: ModelMapping) -> SafeString | str:
        """Show the results of probes, read-only."""
        groups = groupby(
            probe_results.results_of(row), key=lambda result: (result.backend.name, result.model)
        )
        tables = [_table(list(results)) for _, results in groups]
        return format_html_join("", "{}", ((table,) for table in tables)) or NOT_PROBED

    @admin.display(description="Learnt from refusals")
    def lessons_from_refusals(self, row: ModelMapping) -> SafeString | str:
        """Show what targets are asked without since they refused it, and offer to forget that."""
        notes = learned_notes.list_notes(_list_targets(row))
        if not notes:
            return NOTHING_LEARNED
        lines = format_html_join("", '<span class="lg-sub">{}: {}</span>', notes)
        return format_html(
            '{}<button class="lg-button" type="submit" name="{}" value="forget">Forget it</button>',
            lines,
            PRESSED,
        )

    def forget_lessons(self, request: HttpRequest, row: ModelMapping) -> None:
        """Forget what was learnt of the mapping's targets, so that all is sent again."""
        learned_notes.forget(_list_targets(row))
        self.tell(request, f"{row.name}: what was learnt from refusals is forgotten.")
        self.log_change(request, row, "Forgot what was learnt from refusals.")

    def run_probe(self, request: HttpRequest, row: ModelMapping) -> None:
        """Probe each target, and tell what came."""
        route = registry.current().resolve(row.name)
        if "*" in row.name or route is None or route.rule.name != row.name:
            reason = PATTERN.format(row.name) if "*" in row.name else f"{row.name} is disabled."
            self.tell(request, reason, failed="the probe")
            return
        if not route.targets:
            self.tell(request, f"{row.name} leads nowhere: no enabled target.", failed="the probe")
        for target in route.targets:
            self._probe_one(request, target)
        self.log_change(request, row, "Probed.")

    def _probe_one(self, request: HttpRequest, target: Target) -> None:
        name = f"{target.model} on {target.upstream.name}"
        try:
            found = probe_results.run(target)
        except ProbeFailed as reason:
            self.tell(request, f"{name} was not probed: {reason}", failed="the probe")
        else:
            self.tell(request, f"{name}: {probe_results.summary(found)}")


def _find_route(row: ModelMapping) -> Route | None:
    """Find where a mapping's own name leads; a pattern has none, nor has one that is disabled."""
    route = None if "*" in row.name else registry.current().resolve(row.name)
    return route if route is not None and route.rule.name == row.name else None


def _list_targets(row: ModelMapping) -> list[Target]:
    """List the targets of a mapping; of a pattern's, the models of which something was learnt."""
    route = _find_route(row)
    if route is not None:
        return list(route.targets)
    rules = registry.current().get_pattern(row.name) if "*" in row.name else None
    return [one for target in rules.targets for one in learned_fields.list_models(target)] if rules else []


def _describe_targets(row: ModelMapping) -> Iterator[tuple[str, str]]:
    route = _find_route(row)
    if route is not None:
        for target in route.targets:
            card = catalog.get_seen_card(target)
            unread = "" if card is not None else UNREAD
            yield (
                f"{target.model} on {target.upstream.name}",
                probe_results.describe_for_clients(route.rule, target, card) + unread,
            )


def _table(results: list[ProbeResult]) -> SafeString:
    first, tokens = results[0], sum(result.tokens for result in results)
    lines = ((result.capability, result.verdict, result.evidence) for result in results)
    return format_html(
        '<table class="lg-table"><caption>{} on {}: {}, {} tokens</caption>'
        "<thead><tr><th>Can it</th><th>Answer</th><th>Evidence</th></tr></thead><tbody>{}</tbody></table>",
        first.model,
        first.backend.name,
        f"{first.at:%Y-%m-%d %H:%M}",
        tokens,
        format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", lines),
    )
