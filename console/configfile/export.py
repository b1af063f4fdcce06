"""The whole configuration as a file, in an order that stays, with a placeholder for each secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from typing import Any

import msgspec
import yaml
from django.db.models import Prefetch
from msgspec import UNSET

from accounts.models import ClientKey, Team
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from console.configfile.format import (
    VERSION,
    ApiKey,
    BackendEntry,
    KeyEntry,
    MappingEntry,
    Secret,
    TargetEntry,
    TeamEntry,
)
from console.configfile.reading import EXPONENT, FLOAT

HEADER = """\
# Llamagate configuration. Apply it with: manage.py apply FILE
#
# No secret is in here: each stands as the environment variable that has to hold it. Set the variables
# before you apply the file, or write `file: /run/secrets/...` in place of `env: ...`. On a server that
# already has the secrets, `manage.py apply FILE --keep-secrets` keeps those whose variable is not set.
"""


def export() -> str:
    """Give the configuration as YAML."""
    placeholders = Placeholders()
    sections: dict[str, list[Any]] = {
        "backends": [_backend(backend, placeholders) for backend in _backends()],
        "mappings": [_mapping(mapping) for mapping in _mappings()],
        "teams": [_team(team, placeholders) for team in _teams()],
    }
    parts = [_dump({"version": VERSION})]
    parts += [_dump({name: [_plain(entry) for entry in entries]}) for name, entries in sections.items()]
    return HEADER + "\n".join(parts)


def _backends() -> Iterable[Backend]:
    live = Credential.objects.filter(retired_at__isnull=True).order_by("label", "id")
    return Backend.objects.order_by("name").prefetch_related(Prefetch("credentials", live))


def _mappings() -> Iterable[ModelMapping]:
    targets = MappingTarget.objects.select_related("backend").order_by(
        "priority", "-weight", "backend__name", "model"
    )
    return ModelMapping.objects.order_by("name").prefetch_related(Prefetch("targets", targets))


def _teams() -> Iterable[Team]:
    live = ClientKey.objects.filter(revoked_at__isnull=True).order_by("name")
    return Team.objects.order_by("name").prefetch_related(Prefetch("keys", live))


def _backend(backend: Backend, placeholders: Placeholders) -> BackendEntry:
    api_keys = [
        ApiKey(label=credential.label, env=placeholders.make(backend.name, credential.label, "API_KEY"))
        for credential in backend.credentials.all()
    ]
    return BackendEntry(
        name=backend.name,
        base_url=backend.base_url,
        dialect=backend.dialect,
        api_keys=api_keys or UNSET,
        enabled=backend.enabled,
        verify_tls=backend.verify_tls,
        notes=backend.notes,
    )


def _mapping(mapping: ModelMapping) -> MappingEntry:
    return MappingEntry(
        name=mapping.name,
        targets=[_target(target) for target in mapping.targets.all()],
        enabled=mapping.enabled,
        system=mapping.system,
        options=mapping.options,
        forced_options=mapping.forced_options,
        capabilities=mapping.capabilities,
        context_length=mapping.context_length,
    )


def _target(target: MappingTarget) -> TargetEntry:
    return TargetEntry(
        backend=target.backend.name,
        model=target.model,
        priority=target.priority,
        weight=target.weight,
        enabled=target.enabled,
    )


def _team(team: Team, placeholders: Placeholders) -> TeamEntry:
    keys = [_key(team, key, placeholders) for key in team.keys.all()]
    return TeamEntry(
        name=team.name, models=team.allowed_models, keys=keys or UNSET, enabled=team.enabled
    )


def _key(team: Team, key: ClientKey, placeholders: Placeholders) -> KeyEntry:
    expiry = key.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if key.expires_at else None
    env = placeholders.make(team.name, key.name, "CLIENT_KEY")
    return KeyEntry(name=key.name, key=Secret(env=env), expires_at=expiry)


class Placeholders:
    """Names of environment variables, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def make(self, *parts: str) -> str:
        """Join the parts as an environment variable is written; number it if it was given before."""
        name = re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper())
        name = f"_{name}" if name[0].isdigit() else name
        unique, number = name, 1
        while unique in self._given:
            number += 1
            unique = f"{name}_{number}"
        self._given.add(unique)
        return unique


class _Inline(dict[str, Any]):
    """Written on one line, in braces."""


class _InlineList(list[Any]):
    """Written on one line, in brackets."""


def _plain(entry: msgspec.Struct) -> dict[str, Any]:
    """Give an entry's fields, what is short on one line."""
    fields = _without_defaults(entry)
    for name, value in fields.items():
        if isinstance(value, list) and value and isinstance(value[0], msgspec.Struct):
            fields[name] = [_inline(item) for item in value]
        elif isinstance(value, list):
            fields[name] = _InlineList(value)
        elif isinstance(value, dict):
            fields[name] = _Inline(value)
    return fields


def _inline(entry: msgspec.Struct) -> _Inline:
    fields = _without_defaults(entry)
    return _Inline(
        {name: _inline(value) if isinstance(value, Secret) else value for name, value in fields.items()}
    )
