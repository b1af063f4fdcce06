"""The whole configuration as a file, in an order that stays, with a placeholder for each secret."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC
from typing import Any

import msgspec
from django.db.models import Prefetch
from msgspec import NODEFAULT, UNSET

from accounts.models import ClientKey, Team
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from backends.wire.profile_names import rename_profile
from console.configfile.run import same
from console.configfile.schema import VERSION, BackendEntry, KeyEntry, MappingEntry, TargetEntry, TeamEntry
from console.configfile.yaml_writer import OneLine, OneLineList, write_yaml
from core import plain_secrets

HEADER = """\
# Llamagate configuration. Bring it in with: manage.py apply FILE
#
# No secret is in here: in its place stands the environment variable that has to hold it. Set these
# variables before you apply the file, or write `file: /run/secrets/...` in place of `env: ...`. On a
# server that has the secrets already, `manage.py apply FILE --keep-secrets` keeps every one whose
# variable is not set.
"""


LEFT_OUT = """\
# Left out, since it looks like a credential in plain text: make it one of the backend's API keys.
"""


def export() -> str:
    """Give the configuration as YAML."""
    placeholders = Placeholders()
    sections: list[dict[str, Any]] = [
        {"version": VERSION},
        {"backends": [_backend(backend, placeholders) for backend in _backends()]},
        {"mappings": [_mapping(mapping) for mapping in _mappings()]},
        {"teams": [_team(team, placeholders) for team in _teams()]},
    ]
    return "\n".join([HEADER + _list_omissions(), *map(write_yaml, sections)])


def _list_omissions() -> str:
    """Name what a profile of an earlier release holds and no file should."""
    lines = [
        f"#   backend {backend.name}: profile.{place}\n"
        for backend in _backends()
        for place in plain_secrets.find(_profile(backend))
    ]
    return "#\n" + LEFT_OUT + "".join(lines) if lines else ""


class Placeholders:
    """Names of environment variables, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def make(self, *parts: str) -> str:
        """Join the parts as a variable's name is written, with a number if it was given before."""
        plain = re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper())
        plain = f"_{plain}" if plain[0].isdigit() else plain
        name, number = plain, 1
        while name in self._given:
            number += 1
            name = f"{plain}_{number}"
        self._given.add(name)
        return name


# Sorted here, since every database has its own idea of the order of text.


def _backends() -> list[Backend]:
    live = Credential.objects.filter(retired_at__isnull=True)
    backends = Backend.objects.prefetch_related(Prefetch("credentials", live))
    return sorted(backends, key=lambda backend: backend.name)


def _mappings() -> list[ModelMapping]:
    targets = MappingTarget.objects.select_related("backend")
    mappings = ModelMapping.objects.prefetch_related(Prefetch("targets", targets))
    return sorted(mappings, key=lambda mapping: mapping.name)


def _targets(mapping: ModelMapping) -> list[MappingTarget]:
    return sorted(
        mapping.targets.all(),
        key=lambda target: (target.priority, -target.weight, target.backend.name, target.model),
    )


def _teams() -> list[Team]:
    live = ClientKey.objects.filter(revoked_at__isnull=True)
    teams = Team.objects.prefetch_related(Prefetch("keys", live))
    return sorted(teams, key=lambda team: team.name)


def _in_order(value: Any) -> Any:
    """Sort the fields of JSON: PostgreSQL gives them back in an order of its own."""
    if isinstance(value, dict):
        return OneLine({name: _in_order(value[name]) for name in sorted(value)})
    return [_in_order(item) for item in value] if isinstance(value, list) else value


def _profile(backend: Backend) -> Any:
    """Give the profile with the names of today. One that holds a field twice is given as it is stored."""
    with suppress(ValueError):
        return rename_profile(backend.profile)
    return backend.profile


def _backend(backend: Backend, placeholders: Placeholders) -> dict[str, Any]:
    api_keys = [
        OneLine(label=stored.label, env=placeholders.make(backend.name, stored.label, "API_KEY"))
        for stored in sorted(backend.credentials.all(), key=lambda stored: stored.label)
    ]
    return _entry(
        BackendEntry,
        name=backend.name,
        base_url=backend.base_url,
        dialect=backend.dialect,
        api_keys=api_keys or UNSET,
        enabled=backend.enabled,
        verify_tls=backend.verify_tls,
        profile=_in_order(plain_secrets.without(_profile(backend))),
        notes=backend.notes,
    )


def _mapping(mapping: ModelMapping) -> dict[str, Any]:
    return _entry(
        MappingEntry,
        name=mapping.name,
        targets=[_target(target) for target in _targets(mapping)],
        enabled=mapping.enabled,
        system=mapping.system,
        options=_in_order(mapping.options),
        forced_options=_in_order(mapping.forced_options),
        capabilities=OneLineList(mapping.capabilities),
        context_length=mapping.context_length,
        messages=[{"role": turn["role"], "content": turn["content"]} for turn in mapping.messages],
        template=mapping.template,
        license=mapping.license,
        family=mapping.family,
        parameter_size=mapping.parameter_size,
        quantization_level=mapping.quantization_level,
        description=mapping.description,
        recommended=mapping.recommended,
        show_backend_texts=mapping.show_backend_texts,
    )


def _target(target: MappingTarget) -> OneLine:
    fields = _entry(
        TargetEntry,
        backend=target.backend.name,
        model=target.model,
        priority=target.priority,
        weight=target.weight,
        enabled=target.enabled,
    )
    return OneLine(fields)


def _team(team: Team, placeholders: Placeholders) -> dict[str, Any]:
    keys = [_key(team, key, placeholders) for key in sorted(team.keys.all(), key=lambda key: key.name)]
    models = OneLineList(team.allowed_models)
    return _entry(TeamEntry, name=team.name, models=models, enabled=team.enabled, keys=keys or UNSET)


def _key(team: Team, key: ClientKey, placeholders: Placeholders) -> OneLine:
    expiry = key.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if key.expires_at else None
    source = {"env": placeholders.make(team.name, key.name, "CLIENT_KEY")}
    rights = OneLineList(key.rights)
    return OneLine(_entry(KeyEntry, name=key.name, key=source, rights=rights, expires_at=expiry))


def _entry(kind: type[msgspec.Struct], **fields: Any) -> dict[str, Any]:
    """Leave out what is the default of the file's format."""
    defaults = {info.name: _default(info) for info in msgspec.structs.fields(kind)}
    return {name: value for name, value in fields.items() if not same(value, defaults[name])}


def _default(info: msgspec.structs.FieldInfo) -> Any:
    return info.default if info.default_factory is NODEFAULT else info.default_factory()
