"""Rows, each in one line: a backend, a mapping to it, a team, its keys."""

from datetime import datetime
from typing import Any

from django.db.transaction import atomic

from accounts import keys
from accounts.models import ClientKey, Team
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from tests.fake_backend import FakeBackend

MODEL = "m"


@atomic
def backend(where: FakeBackend | str, name: str = "fake", *, api_key: str = "", **fields: Any) -> Backend:
    """Add a backend at a fake or a URL, with an API key of ours if one is given."""
    base_url = where if isinstance(where, str) else where.base_url
    made = Backend.objects.create(name=name, base_url=base_url, **fields)
    if api_key:
        Credential.objects.create(backend=made, label="main", secret=api_key)
    return made


@atomic
def mapping(name: str, *backends: Backend, model: str = "", **fields: Any) -> ModelMapping:
    """Map a name or pattern to backends, the first of them first."""
    made = ModelMapping.objects.create(name=name, **fields)
    for priority, one in enumerate(backends, 1):
        MappingTarget.objects.create(mapping=made, backend=one, model=model or name, priority=priority)
    return made


@atomic
def route(fake: FakeBackend, name: str = MODEL, **fields: Any) -> ModelMapping:
    """Make one fake reachable under one name."""
    return mapping(name, backend(fake), **fields)


def team(name: str = "research", models: tuple[str, ...] = ("*",), *, enabled: bool = True) -> Team:
    """Add a team."""
    return Team.objects.create(name=name, allowed_models=list(models), enabled=enabled)


def key(
    owner: Team,
    name: str = "laptop",
    *,
    expires_at: datetime | None = None,
    revoked_at: datetime | None = None,
) -> tuple[ClientKey, str]:
    """Mint a key for a team: the row, and what its client sends."""
    public_id, secret = keys.mint()
    row = ClientKey.objects.create(
        team=owner,
        name=name,
        public_id=public_id,
        digest=keys.digest(secret),
        expires_at=expires_at,
        revoked_at=revoked_at,
    )
    return row, secret
