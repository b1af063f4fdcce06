"""The sections `backends` and `mappings`, brought into the database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from backends import change_authors, services
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from backends.wire.dialect import with_path
from backends.wire.dialects import DIALECTS
from backends.wire.profile_names import list_old_names, rename_profile
from console.configfile.run import Run
from console.configfile.schema import ApiKey, BackendEntry, MappingEntry, TargetEntry
from core.crypto import SecretElsewhere, SecretUnreadable
from core.model_names import canonical

MAX_NAMES_SHOWN = 12


def apply_backends(run: Run, entries: Sequence[BackendEntry]) -> dict[str, Backend]:
    """Bring the file's backends in. Gives those that stand, by name."""
    known = {backend.name: backend for backend in Backend.objects.all()}
    live: dict[int, dict[str, Credential]] = {}
    for credential in Credential.objects.filter(retired_at__isnull=True):
        live.setdefault(credential.backend_id, {})[credential.label] = credential
    for place, entry in enumerate(entries):
        path = f"backends[{place}]"
        backend = known.setdefault(entry.name, Backend(name=entry.name))
        if entry.dialect not in DIALECTS:
            run.refuse(
                f"{path}.dialect", f"there is no dialect {entry.dialect!r}. Known: {', '.join(DIALECTS)}."
            )
            continue
        wanted = {
            "base_url": with_path(entry.base_url, DIALECTS[entry.dialect]),
            "dialect": entry.dialect,
            "enabled": entry.enabled,
            "verify_tls": entry.verify_tls,
            "profile": _use_new_names(entry.profile),
            "notes": entry.notes,
        }
        run.notes += _describe_old_names(entry, path)
        save = partial(services.save_backend, backend)
        if run.settle(backend, wanted, f"backend {entry.name}", path, save):
            _apply_api_keys(run, backend, entry, live.get(backend.pk, {}), path)
    return known


def _use_new_names(profile: Any) -> Any:
    """Rename fields as the model will: a file with former names is compared by what would be stored."""
    try:
        return rename_profile(profile)
    except ValueError:
        return profile  # the model refuses it, with a sentence


def _describe_old_names(entry: BackendEntry, path: str) -> list[str]:
    """Say what fields of the profile are called now."""
    return [
        f"{path}.profile.{place} is now called {new}: write the new name into the file."
        for place, new in list_old_names(entry.profile)
    ]


def _apply_api_keys(
    run: Run, backend: Backend, entry: BackendEntry, live: dict[str, Credential], path: str
) -> None:
    for credential in live.values():
        credential.backend = backend  # as the file has it, for the keys that are for its server only
    entries = entry.api_keys if isinstance(entry.api_keys, list) else []
    for place, api_key in enumerate(entries):
        _apply_api_key(run, backend, api_key, live.get(api_key.label), f"{path}.api_keys[{place}]")
    named = {api_key.label for api_key in entries}
    for label, credential in live.items():
        if label in named:
            continue
        if run.prune and isinstance(entry.api_keys, list):
            services.revoke_credential(credential)
            run.note_removed(f"API key {backend.name}/{label}")
        elif not credential.is_for(backend):
            run.refuse(f"{path}.base_url", _elsewhere(credential))


def _apply_api_key(run: Run, backend: Backend, entry: ApiKey, stored: Credential | None, path: str) -> None:
    may_keep = stored is not None and stored.is_for(backend)
    secret = run.secret(entry, path, is_stored=may_keep)
    what = f"API key {backend.name}/{entry.label}"
    if secret is None:
        if stored is not None and not may_keep:
            run.refuse(path, _elsewhere(stored))
        return
    if stored is None:
        credential = Credential(backend=backend, label=entry.label, secret=secret)
        run.settle(credential, {}, what, path, partial(services.set_credential, credential))
        return
    how = _difference(stored, secret)
    if how:
        services.set_credential(stored, secret)
        run.note_changed(what, how)


def _elsewhere(stored: Credential) -> str:
    return (
        f"leads to {stored.backend.origin}, but the stored API key {stored.label!r} was given for "
        f"{stored.origin or 'no server'} and is sent nowhere else: give the key again in "
        "api_keys, or retire it."
    )


def _difference(stored: Credential, secret: str) -> str:
    """Compare what is stored with what is given: no two seals are alike, so the seals tell nothing."""
    try:
        return "" if stored.reveal() == secret else "another secret"
    except SecretElsewhere:
        return f"given for {stored.backend.origin}"
    except SecretUnreadable:
        return "given again, since the stored one cannot be opened"


def apply_mappings(run: Run, entries: Sequence[MappingEntry], backends: dict[str, Backend]) -> set[int]:
    """Bring the file's mappings in, with exactly the targets that it names. Gives their ids."""
    stored = _StoredMappings()
    in_file: set[int] = set()
    for place, entry in enumerate(entries):
        path = f"mappings[{place}]"
        mapping = stored.find(entry.name) or ModelMapping()
        if run.prune:
            _remove_namesakes(run, stored, mapping, entry.name)
        wanted = {
            "name": entry.name,
            "enabled": entry.enabled,
            "system": entry.system,
            "options": entry.options,
            "forced_options": entry.forced_options,
            "capabilities": entry.capabilities,
            "context_length": entry.context_length,
            "messages": msgspec.to_builtins(entry.messages),
            "template": entry.template,
            "license": entry.license,
            "family": entry.family,
            "parameter_size": entry.parameter_size,
            "quantization_level": entry.quantization_level,
            "description": entry.description,
            "recommended": entry.recommended,
            "show_backend_texts": entry.show_backend_texts,
        }
        save = partial(services.save_mapping, mapping, actor=change_authors.APPLY)
        if run.settle(mapping, wanted, f"mapping {entry.name}", path, save):
            in_file.add(mapping.pk)
            _apply_targets(run, mapping, entry.targets, backends, path)
    return in_file


def _remove_namesakes(run: Run, stored: _StoredMappings, mapping: ModelMapping, name: str) -> None:
    """Delete what clients cannot tell from a mapping: it would be deleted later, and stands in the way."""
    for namesake in stored.list_namesakes(name):
        if namesake.pk != mapping.pk:
            run.note_removed(f"mapping {namesake.name}")
            services.delete_mapping(namesake)


class _StoredMappings:
    """The mappings of the database, found by name as a request would find them."""

    def __init__(self) -> None:
        self._by_name: dict[str, ModelMapping] = {}
        self._by_meaning: dict[str, list[ModelMapping]] = {}
        for mapping in ModelMapping.objects.order_by("id"):
            self._by_name[mapping.name.lower()] = mapping
            self._by_meaning.setdefault(canonical(mapping.name), []).append(mapping)

    def find(self, name: str) -> ModelMapping | None:
        """Give the mapping of this very name, else of the same name with or without `:latest`."""
        same = sorted(self.list_namesakes(name), key=lambda mapping: mapping.canonical_name is None)
        return self._by_name.get(name.lower()) or next(iter(same), None)

    def list_namesakes(self, name: str) -> list[ModelMapping]:
        """Give the mappings that clients cannot tell apart under this name."""
        return self._by_meaning.get(canonical(name), [])


def _apply_targets(
    run: Run, mapping: ModelMapping, entries: Sequence[TargetEntry], backends: dict[str, Backend], path: str
) -> None:
    changes_before = len(run.changes)
    stored = {(target.backend_id, target.model): target for target in mapping.targets.all()}
    for place, entry in enumerate(entries):
        backend = _backend_of(run, entry, backends, f"{path}.targets[{place}]")
        if backend is None:
            continue
        target = stored.pop((backend.pk, entry.model), None)
        target = target or MappingTarget(mapping=mapping, backend=backend, model=entry.model)
        wanted = {"priority": entry.priority, "weight": entry.weight, "enabled": entry.enabled}
        what = f"target {mapping.name} -> {entry.model} on {backend.name}"
        save = partial(services.save_target, target)
        run.settle(target, wanted, what, f"{path}.targets[{place}]", save)
    for target in stored.values():
        run.note_removed(f"target {mapping.name} -> {target.model} on {target.backend.name}")
        services.delete_target(target)
    if len(run.changes) > changes_before:
        # Clients are told when a mapping last changed, and its targets are part of it.
        services.save_mapping(mapping, actor=change_authors.APPLY, fields=[])


def _backend_of(run: Run, entry: TargetEntry, backends: dict[str, Backend], path: str) -> Backend | None:
    backend = backends.get(entry.backend)
    if backend is None:
        names = sorted(backends)
        known = ", ".join(names[:MAX_NAMES_SHOWN]) + (", ..." if len(names) > MAX_NAMES_SHOWN else "")
        run.refuse(
            f"{path}.backend",
            f"there is no backend {entry.backend!r}: add it to backends. Known: {known or 'none yet'}.",
        )
        return None
    return None if backend._state.adding else backend  # if it does not stand, that is noted already


def prune_mappings(run: Run, in_file: set[int]) -> None:
    """Delete the mappings that the file does not name."""
    for mapping in ModelMapping.objects.exclude(pk__in=in_file):
        run.note_removed(f"mapping {mapping.name}")
        services.delete_mapping(mapping)


def prune_backends(run: Run, entries: Sequence[BackendEntry]) -> None:
    """Delete the backends that the file does not name, unless something still leads there."""
    named = {entry.name for entry in entries}
    for backend in Backend.objects.exclude(name__in=named):
        users = sorted({target.mapping.name for target in backend.targets.select_related("mapping")})
        if users:
            run.refuse(
                "backends",
                f"--prune would delete {backend.name!r}, which the file does not name, but the mapping "
                f"{users[0]!r} leads there: name the backend here, or change the mapping.",
            )
            continue
        run.note_removed(f"backend {backend.name}")
        services.delete_backend(backend)
