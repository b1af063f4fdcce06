"""From tables to the routing snapshot. The only place where routing rows are read for clients."""

from __future__ import annotations

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Prefetch

from backends.models import Backend, Credential, MappingTarget, ModelMapping, ProbeResult
from backends.routing.snapshot import (
    MappingRules,
    ModelDetails,
    ProbeResults,
    RoutingSnapshot,
    Target,
    Upstream,
    note_inabilities,
)
from backends.wire.dialect import Dialect, override_profile
from backends.wire.dialects import DIALECTS
from core import revisions
from core.crypto import SecretUnreadable
from core.snapshot_cache import RevisionedCache

log = structlog.get_logger("llamagate.routing")


def load() -> tuple[int, RoutingSnapshot]:
    """Read everything in five queries. The revision comes first: what changes meanwhile is read again."""
    revision = revisions.number(revisions.ROUTING)
    probed = _load_probe_results()
    upstreams = {backend.id: _upstream(backend, probed) for backend in _backends()}
    rules = [_rule(mapping, upstreams) for mapping in _mappings()]
    return revision, RoutingSnapshot(revision, upstreams.values(), rules)


def _backends() -> list[Backend]:
    live = Credential.objects.filter(retired_at__isnull=True).order_by("id")
    enabled = Backend.objects.filter(enabled=True)
    return list(enabled.prefetch_related(Prefetch("credentials", live, to_attr="live_credentials")))


def _mappings() -> list[ModelMapping]:
    targets = MappingTarget.objects.filter(enabled=True)
    enabled = ModelMapping.objects.filter(enabled=True)
    return list(enabled.prefetch_related(Prefetch("targets", targets, to_attr="live_targets")))


def _load_probe_results() -> dict[int, dict[str, ProbeResults]]:
    """Gather the clear verdicts, by backend and by model."""
    found: dict[int, dict[str, ProbeResults]] = {}
    for row in ProbeResult.objects.exclude(verdict=ProbeResult.UNCLEAR):
        before = found.setdefault(row.backend_id, {}).get(row.model, ProbeResults())
        can = {**before.can, row.capability: row.verdict == ProbeResult.YES}
        found[row.backend_id][row.model] = ProbeResults(can, row.length or before.embedding_length)
    return found


def _upstream(backend: Backend, probed: dict[int, dict[str, ProbeResults]]) -> Upstream:
    credentials: list[Credential] = backend.live_credentials  # type: ignore[attr-defined]  # set by the Prefetch
    secrets = [_reveal(backend, credential) for credential in credentials]
    readable = tuple(secret for secret in secrets if secret)
    return Upstream(
        id=backend.id,
        name=backend.name,
        base_url=backend.base_url.rstrip("/"),
        dialect=dialect_of(backend),
        verify_tls=backend.verify_tls,
        secrets=readable,
        unreadable=len(secrets) - len(readable),
        probe_results=probed.get(backend.id, {}),
    )


def dialect_of(backend: Backend) -> Dialect:
    """Lay the operator's profile over the dialect. One of a newer release is served as what it surely is."""
    dialect = DIALECTS.get(backend.dialect, DIALECTS["generic"])
    try:
        return override_profile(dialect, backend.profile)
    except ValueError as error:
        log.error("profile ignored", backend=backend.name, reason=str(error))
        return dialect


def _reveal(backend: Backend, credential: Credential) -> str | None:
    try:
        return credential.reveal()
    except (SecretUnreadable, ImproperlyConfigured) as reason:
        log.error(
            "credential unreadable", backend=backend.name, credential=credential.label, reason=str(reason)
        )
        return None


def _rule(mapping: ModelMapping, upstreams: dict[int, Upstream]) -> MappingRules:
    targets: list[MappingTarget] = mapping.live_targets  # type: ignore[attr-defined]  # set by the Prefetch
    usable = tuple(
        Target(upstreams[target.backend_id], target.model, target.priority, target.weight)
        for target in targets
        if target.backend_id in upstreams
    )
    rule = MappingRules(
        name=mapping.name,
        targets=usable,
        system=mapping.system,
        options=mapping.options,
        forced_options=mapping.forced_options,
        capabilities=tuple(mapping.capabilities),
        context_length=mapping.context_length,
        messages=tuple(mapping.messages),
        template=mapping.template,
        license=mapping.license,
        details=ModelDetails(**{name: getattr(mapping, name) for name in ModelDetails.__struct_fields__}),
        number=mapping.pk,
        changed_at=mapping.updated_at.timestamp(),
    )
    return note_inabilities(rule, usable)


routing = RevisionedCache("routing", load)
revisions.listen(revisions.ROUTING, routing.reload)


def current() -> RoutingSnapshot:
    """Take the snapshot: one reference, no look at the database."""
    return routing.current()
