"""`manage.py rotate_credentials`: seal every stored API key anew, with the first of CREDENTIAL_KEYS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser

from backends import services
from backends.models import Credential
from console.management.base import OperatorCommand
from core import crypto
from core.fields import Sealed

BATCH = 100


class Command(OperatorCommand):
    """Reseal in batches. Each batch is a transaction, so what was stopped goes on where it was."""

    help = (
        "Seal the stored API keys anew with the first key of CREDENTIAL_KEYS. The server may run meanwhile."
    )
    examples = """examples:
  manage.py rotate_credentials --dry-run
  manage.py rotate_credentials

To change the sealing key: put a new one first in CREDENTIAL_KEYS (NEW,OLD), restart every server,
run this, then drop the old one and restart again.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to write."""
        parser.add_argument("--dry-run", action="store_true", help="try to open them all; write nothing")

    def run(self, **options: Any) -> None:
        """Reseal all, and name those that cannot be opened."""
        dry_run: bool = options["dry_run"]
        outdated = Credential.objects.exclude(sealed_with=crypto.sealing_fingerprint()).count()
        current = Credential.objects.count() - outdated
        done, unreadable = 0, []
        for batch in _batches(write=not dry_run):
            done += batch.resealed
            unreadable += batch.unreadable
            self.stdout.write(f"{done + len(unreadable)} of {outdated}")
        verb = "would be resealed" if dry_run else "resealed"
        self.stdout.write(f"{done} {verb}, {current} sealed with the first key before.")
        if unreadable:
            raise CommandError(_explain(unreadable))


class _Batch:
    """What became of some credentials."""

    def __init__(self) -> None:
        self.resealed = 0
        self.unreadable: list[str] = []
        self.last_id = 0

    def reseal(self, credentials: list[Credential], *, write: bool) -> None:
        """Seal each anew for its row."""
        opened = []
        for credential in credentials:
            try:
                secret = credential.unseal()
            except crypto.SecretUnreadable as reason:
                self.unreadable.append(f"{_name(credential)}: {reason}")
                continue
            credential.secret = Sealed(crypto.seal(secret, credential.seal_binding()))
            credential.sealed_with = crypto.sealing_fingerprint()
            opened.append(credential)
        if write and opened:
            services.store_rotated_secrets(opened)
        self.resealed = len(opened)
        self.last_id = credentials[-1].pk


def _batches(*, write: bool) -> Iterator[_Batch]:
    """Go through what other keys sealed, in the order of ids.

    The rows are locked while they are read and written, so that an edit in the admin waits or comes first,
    and is never overwritten. (SQLite locks as a whole: its transactions begin as writers.)
    """
    last_id = 0
    while True:
        batch = _Batch()
        with services.exclusive():
            outdated = Credential.objects.exclude(sealed_with=crypto.sealing_fingerprint())
            rows = outdated.filter(pk__gt=last_id).select_related("backend").order_by("pk")
            credentials = list(rows.select_for_update(of=("self",))[:BATCH])
            if not credentials:
                return
            batch.reseal(credentials, write=write)
        last_id = batch.last_id
        yield batch


def _name(credential: Credential) -> str:
    retired = " (retired)" if credential.retired_at else ""
    return f"{credential.backend.name}/{credential.label}{retired}"


def _explain(unreadable: list[str]) -> str:
    return "\n".join(
        [
            f"{len(unreadable)} cannot be opened:",
            *(f"  {line}" for line in unreadable),
            "Add the key that sealed them to the end of CREDENTIAL_KEYS and run this again. If it is lost, "
            "give the API keys again (in the admin or with `manage.py apply`) and delete the retired ones.",
        ]
    )
