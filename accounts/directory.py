"""Who is asking: a look-up in memory by the digest of the presented key.

The directory follows the revision "access", so a revoked key is refused within a second by every process
and at once by the one that revoked it.
"""

from __future__ import annotations

import time

import msgspec
from django.conf import settings

from accounts import keys
from accounts.errors import KeyInvalid, KeyMissing, ModelForbidden, RightMissing
from accounts.models import LOCAL_TEAM, ClientKey, Team
from accounts.rights import RIGHTS
from core import revisions
from core.model_names import covers
from core.snapshot_cache import RevisionedCache


class Caller(msgspec.Struct, frozen=True):
    """A team, and the key by which it asks (empty when none was needed)."""

    team: str
    key_id: str = ""
    models: tuple[str, ...] = ("*",)
    expires_at: float = float("inf")
    """Unix time from which the key is refused."""
    rights: frozenset[str] = frozenset()
    key_name: str = ""
    refused: bool = False
    """Known, but revoked, or of a disabled team: told apart from keys that we never saw."""

    def may_use(self, model: str) -> bool:
        """Say whether one of the team's names or patterns covers `model`."""
        return covers(self.models, model)

    @property
    def label(self) -> str:
        """Name the caller for people: `key ci of team research`, or the team alone."""
        return f"key {self.key_name} of team {self.team}" if self.key_name else f"team {self.team}"

    def require_right(self, right: str) -> None:
        """Raise `RightMissing` unless the key has `right`."""
        if right not in self.rights:
            raise RightMissing(right, self.label)

    def require(self, model: str) -> None:
        """Raise `ModelForbidden` unless the team may use `model`."""
        if not self.may_use(model):
            raise ModelForbidden(model, self.team)


class Directory(msgspec.Struct, frozen=True):
    """All keys of one revision, and who asks without one."""

    callers: dict[str, Caller]
    local: Caller | None

    def __repr__(self) -> str:
        return f"Directory({len(self.callers)} keys)"


def load() -> tuple[int, Directory]:
    """Read the teams and keys in three queries."""
    revision = revisions.number(revisions.ACCESS)
    callers = {key.digest: _caller(key) for key in ClientKey.objects.select_related("team")}
    team = Team.objects.filter(name=LOCAL_TEAM, enabled=True).first()
    local = Caller(team.name, models=tuple(team.allowed_models), rights=frozenset(RIGHTS)) if team else None
    return revision, Directory(callers, local)


def _caller(key: ClientKey) -> Caller:
    return Caller(
        team=key.team.name,
        key_id=key.public_id,
        models=tuple(key.team.allowed_models),
        expires_at=key.expires_at.timestamp() if key.expires_at else float("inf"),
        rights=frozenset(key.rights),
        key_name=key.name,
        refused=key.revoked_at is not None or not key.team.enabled,
    )


access = RevisionedCache("access", load)
revisions.listen(revisions.ACCESS, access.reload)


def authenticate(
    authorization: str, x_api_key: str, *, over_loopback: bool, must_be_known: bool = False
) -> Caller:
    """Find out who asks, from the two headers that may hold a key ("" when absent).

    `over_loopback`: whether the connection came in on a loopback address. `must_be_known`: whether the key is
    meant for us and no dummy, since somebody put it into our URL.

    Where no key is needed an unknown one is tolerated, since many Ollama clients always send a dummy; a
    key that we know and refuse is refused everywhere.

    Raises:
        KeyMissing: a key is needed and none was sent.
        KeyInvalid: the key is unknown where one is needed or was meant for us, or revoked, or expired.
    """
    directory = access.current()
    presented = keys.extract_key(authorization, x_api_key)
    caller = directory.callers.get(keys.digest(presented)) if presented else None
    if caller is None and must_be_known:
        raise KeyInvalid
    if caller is None:
        return _without_key(directory, presented, over_loopback)
    if caller.refused or caller.expires_at <= time.time():
        raise KeyInvalid(caller.key_id)
    return caller


def _without_key(directory: Directory, presented: str | None, over_loopback: bool) -> Caller:
    proxy = settings.PROXY
    local_only = proxy.is_bound_to_loopback and over_loopback and not proxy.require_key_on_loopback
    if directory.local is not None and local_only:
        return directory.local
    if directory.local is not None and proxy.serve_without_keys:
        return msgspec.structs.replace(directory.local, rights=frozenset())  # strangers may ask, and no more
    raise KeyInvalid if presented else KeyMissing
