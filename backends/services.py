"""The only writer of backends, their keys, mappings and targets, whoever asks: admin, file, client, start.

Each function is one transaction in which nobody else changes the routing configuration: it checks the version
that the caller read (`core.versions`, where one is given), validates the whole (`full_clean`), notes who did
it, and bumps the revision "routing" by saving. Callers that read before they write do both inside
`exclusive()`.

Raises, all of them with nothing written:
    ValidationError: what was to be stored cannot be, with a sentence for each field.
    StaleVersion: somebody else changed it since it was read; with both values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager

from django.db.models import QuerySet
from django.utils import timezone

from backends.models import Backend, Credential, MappingTarget, ModelMapping, ProbeResult, RouteChange
from core import changes
from core.model_names import canonical
from core.revisions import ROUTING
from core.versions import require_version

DETAIL_LENGTH = 300
"""What the column of `RouteChange` holds."""


def exclusive() -> AbstractContextManager[None]:
    """Run a transaction in which nobody else changes the routing configuration."""
    return changes.exclusive(ROUTING)


def save_backend(
    backend: Backend,
    *,
    keys: Sequence[Credential] = (),
    removed_keys: Sequence[Credential] = (),
    user_id: int | None = None,
    fields: Collection[str] | None = None,
    expected_version: str | None = None,
) -> None:
    """Store a backend, and with it some of its API keys; the others stay.

    `user_id`: who gives the keys that are new. `fields`: the only ones of the backend to be written.
    """
    with exclusive():
        require_version(backend, expected_version, keys)
        changes.write(backend, fields)
        for key in removed_keys:
            delete_credential(key)
        _give_up_labels(keys)
        # What retires goes first, so that its label is free for a new key.
        for key in sorted(keys, key=lambda key: key.retired_at is None):
            key.backend = backend
            if key._state.adding:
                key.created_by_id = user_id
            set_credential(key)


def delete_backend(backend: Backend, *, expected_version: str | None = None) -> None:
    """Delete a backend with its keys. Raises `ProtectedError` while a mapping leads there."""
    with exclusive():
        require_version(backend, expected_version)
        backend.delete()


def set_credential(credential: Credential, secret: str | None = None) -> None:
    """Store an API key, with another secret if one is given, which is then for its backend's server."""
    with exclusive():
        if secret is not None:
            credential.secret = secret
        changes.write(credential)


def revoke_credential(credential: Credential) -> None:
    """Retire an API key: it is kept, and used no more."""
    with exclusive():
        credential.retired_at = timezone.now()
        changes.write(credential, ["retired_at"])


def delete_credential(credential: Credential) -> None:
    """Forget an API key."""
    with exclusive():
        credential.delete()


def store_rotated_secrets(credentials: Sequence[Credential]) -> None:
    """Store API keys whose secrets were sealed anew, and are the same.

    Past the manager that counts changes: no server needs to read them again, and one that still lacks the
    new key could not.
    """
    with exclusive():
        QuerySet[Credential](Credential).bulk_update(credentials, ["secret", "sealed_with"])


def find_mapping(name: str) -> ModelMapping | None:
    """Find the mapping that a name stands for, also if it is off; else one that has lost this name."""
    wanted = canonical(name)
    found: ModelMapping | None = ModelMapping.objects.filter(canonical_name=wanted).first()
    if found is not None:
        return found
    set_aside = ModelMapping.objects.filter(canonical_name=None)
    return next((mapping for mapping in set_aside if canonical(mapping.name) == wanted), None)


def save_mapping(
    mapping: ModelMapping,
    *,
    targets: Sequence[MappingTarget] = (),
    removed_targets: Sequence[MappingTarget] = (),
    actor: str = "",
    fields: Collection[str] | None = None,
    expected_version: str | None = None,
) -> None:
    """Store a mapping, and with it some of its targets; the others stay.

    `actor`: who is noted as the last to change it, as `change_authors` says it; empty leaves what is noted.
    `fields`: the only ones of the mapping to be written.
    """
    with exclusive():
        require_version(mapping, expected_version, targets)
        if actor:
            mapping.changed_by = actor
            fields = None if fields is None else {*fields, "changed_by"}
        changes.write(mapping, fields)
        for target in removed_targets:
            delete_target(target)
        for target in targets:
            target.mapping = mapping
            save_target(target)


def delete_mapping(mapping: ModelMapping, *, expected_version: str | None = None) -> None:
    """Delete a mapping with its targets."""
    with exclusive():
        require_version(mapping, expected_version)
        mapping.delete()


def save_target(target: MappingTarget) -> None:
    """Store one target of a mapping. Its mapping is to be saved with it, or after it: that has changed."""
    with exclusive():
        changes.write(target)


def delete_target(target: MappingTarget) -> None:
    """Delete one target of a mapping. Its mapping is to be saved with it, or after it: that has changed."""
    with exclusive():
        target.delete()


def record_change(actor: str, action: str, name: str, detail: str = "") -> None:
    """Note what a client does to the routing table, in the transaction that does it."""
    RouteChange.objects.create(actor=actor, action=action, name=name, detail=detail[:DETAIL_LENGTH])


def replace_probe_results(backend_id: int, model: str, results: Iterable[ProbeResult]) -> None:
    """Put what a probe found in the place of what the last one did."""
    with exclusive():
        ProbeResult.objects.filter(backend_id=backend_id, model=model).delete()
        ProbeResult.objects.bulk_create(results)


def _give_up_labels(keys: Sequence[Credential]) -> None:
    """Free the labels that change: of two keys that swap theirs, neither could be saved first."""
    for key in keys:
        if not key._state.adding:
            Credential.objects.filter(pk=key.pk).exclude(label=key.label).update(label=key.uid.hex)
