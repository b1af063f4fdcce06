"""The only writer of teams and client keys, whoever asks: admin, file, and later a REST API.

Each function is one transaction in which nobody else changes who has access: it checks the version that the
caller read (where one is given), validates, and bumps the revision "access" by saving.

Raises, all of them with nothing written:
    ValidationError: what was to be stored cannot be, with a sentence for each field.
    StaleVersion: somebody else changed it since it was read; with both values.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager

from django.utils import timezone

from accounts import keys
from accounts.models import ClientKey, Team
from core import changes
from core.revisions import ACCESS
from core.versions import require_version


def exclusive() -> AbstractContextManager[None]:
    """Run a transaction in which nobody else changes who has access."""
    return changes.exclusive(ACCESS)


def save_team(
    team: Team, *, fields: Collection[str] | None = None, expected_version: str | None = None
) -> None:
    """Store a team, or some of its fields."""
    with exclusive():
        require_version(team, expected_version)
        changes.write(team, fields)


def delete_team(team: Team, *, expected_version: str | None = None) -> None:
    """Delete a team. Raises `ProtectedError` while it has keys."""
    with exclusive():
        require_version(team, expected_version)
        team.delete()


def mint_client_key(key: ClientKey, *, user_id: int | None = None) -> str:
    """Store a new client key under a secret that is made here. Gives the secret, which is kept nowhere."""
    minted = assign_secret(key)
    key.created_by_id = user_id
    save_client_key(key)
    return minted


def assign_secret(key: ClientKey, secret: str = "") -> str:
    """Let a key stand for a secret, or for one that is made here, under a new public id. Writes nothing."""
    public_id, whole = (keys.new_public_id(), secret) if secret else keys.mint()
    key.public_id, key.digest, key.revoked_at = public_id, keys.digest(whole), None
    return whole


def save_client_key(
    key: ClientKey, *, fields: Collection[str] | None = None, expected_version: str | None = None
) -> None:
    """Store a client key, or some of its fields."""
    with exclusive():
        require_version(key, expected_version)
        changes.write(key, fields)


def revoke_client_key(key: ClientKey) -> None:
    """Refuse a client key from now on. Nothing stands in the way, whatever else is wrong with it."""
    with exclusive():
        key.revoked_at = timezone.now()
        changes.write(key, ["revoked_at"])


def delete_client_key(key: ClientKey, *, expected_version: str | None = None) -> None:
    """Forget a client key."""
    with exclusive():
        require_version(key, expected_version)
        key.delete()
