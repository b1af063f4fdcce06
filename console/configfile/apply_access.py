"""The section `teams`, brought into the database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from accounts import keys, services
from accounts.models import LOCAL_TEAM, ClientKey, Team
from console.configfile.run import Run
from console.configfile.schema import KeyEntry, TeamEntry


def apply_teams(run: Run, entries: Sequence[TeamEntry]) -> None:
    """Bring the file's teams and their keys in."""
    known = {team.name: team for team in Team.objects.all()}
    for place, entry in enumerate(entries):
        path = f"teams[{place}]"
        team = known.get(entry.name) or Team(name=entry.name)
        wanted = {"allowed_models": entry.models, "enabled": entry.enabled}
        save = partial(services.save_team, team)
        if run.settle(team, wanted, f"team {entry.name}", path, save) and isinstance(entry.keys, list):
            _TeamKeys(run, team, entry.keys).apply(f"{path}.keys")


class _TeamKeys:
    """The keys of one team, as they are and as the file wants them."""

    def __init__(self, run: Run, team: Team, entries: Sequence[KeyEntry]) -> None:
        self.run = run
        self.team = team
        self.entries = entries
        self.stored = {key.name: key for key in team.keys.all()}
        self.named = {entry.name for entry in entries}

    def apply(self, path: str) -> None:
        """Bring all of them in, then revoke the others if that was asked for."""
        for place, entry in enumerate(self.entries):
            self._apply_one(entry, f"{path}[{place}]")
        for name, key in self.stored.items():
            if self.run.prune and name not in self.named and key.revoked_at is None:
                revoke(self.run, key)

    def _apply_one(self, entry: KeyEntry, path: str) -> None:
        secret = None
        if entry.key is not None:
            is_stored = entry.name in self.stored
            secret = self.run.secret(entry.key, f"{path}.key", is_stored=is_stored)
            if secret is None and not (is_stored and self.run.keep_secrets):
                return
        if secret is not None and not keys.is_acceptable(secret):
            self.run.refuse(
                f"{path}.key", "a client key has 32 to 256 letters, digits and . _ ~ - (nothing else)."
            )
            return
        key = self.stored.get(entry.name) or self._find_renamed_key(secret)
        if key is None:
            self._create(entry, secret, path)
        else:
            self._update(key, entry, secret, path)

    def _find_renamed_key(self, secret: str | None) -> ClientKey | None:
        """Find the same key under a name that the file no longer has."""
        if secret is None:
            return None
        digest = keys.digest(secret)
        return next(
            (key for key in self.stored.values() if key.digest == digest and key.name not in self.named), None
        )

    def _create(self, entry: KeyEntry, secret: str | None, path: str) -> None:
        key = ClientKey(team=self.team, name=entry.name)
        whole = services.assign_secret(key, secret or "")
        if not self._is_free(key, path):
            return
        what = f"key {self.team.name}/{entry.name}"
        settled = self._settle(key, _build_wanted_fields(entry), what, path)
        if settled and secret is None:
            self.run.minted[f"{self.team.name}/{entry.name}"] = whole

    def _update(self, key: ClientKey, entry: KeyEntry, secret: str | None, path: str) -> None:
        what = f"key {self.team.name}/{entry.name}"
        is_other = secret is not None and keys.digest(secret) != key.digest
        if is_other and not self._replace(key, str(secret), what, path):
            return
        if key.revoked_at is not None:
            self.run.notes.append(
                f"{what} stays revoked: give it another secret, or allow it again in the admin"
            )
        self.stored.pop(key.name, None)
        self._settle(key, {"name": entry.name, **_build_wanted_fields(entry)}, what, path)

    def _settle(self, key: ClientKey, wanted: dict[str, Any], what: str, path: str) -> bool:
        return self.run.settle(key, wanted, what, path, partial(services.save_client_key, key))

    def _replace(self, key: ClientKey, secret: str, what: str, path: str) -> bool:
        """Let the name stand for another secret: the old one is unknown from now on."""
        services.assign_secret(key, secret)
        if not self._is_free(key, path):
            return False
        services.save_client_key(key)
        self.run.note_changed(what, "another secret")
        return True

    def _is_free(self, key: ClientKey, path: str) -> bool:
        """Refuse a secret that is another key's: then nobody could tell who asks."""
        other = ClientKey.objects.filter(digest=key.digest).exclude(pk=key.pk).select_related("team").first()
        if other is not None:
            self.run.refuse(
                f"{path}.key", f"is the same key as {other.team.name}/{other.name}: every key needs its own."
            )
        return other is None


def _build_wanted_fields(entry: KeyEntry) -> dict[str, Any]:
    return {"rights": entry.rights, "expires_at": entry.expiry}


def prune_teams(run: Run, entries: Sequence[TeamEntry]) -> None:
    """Delete the teams that the file does not name; one that ever had keys is closed instead.

    A revoked key must stay known: where unknown keys are tolerated, a forgotten one would be let in again.
    """
    named = {LOCAL_TEAM, *(entry.name for entry in entries)}
    for team in Team.objects.exclude(name__in=named).prefetch_related("keys"):
        team_keys = list(team.keys.all())
        for key in team_keys:
            if key.revoked_at is None:
                revoke(run, key)
        if not team_keys:
            run.note_removed(f"team {team.name}")
            services.delete_team(team)
        elif team.enabled:
            run.note_removed(
                f"team {team.name} (disabled; it stays, because its keys must stay known as revoked)"
            )
            team.enabled = False
            services.save_team(team, fields=["enabled"])


def revoke(run: Run, key: ClientKey) -> None:
    """Refuse a key from now on."""
    services.revoke_client_key(key)
    run.note_removed(f"key {key.team.name}/{key.name}")
