"""What stands before a migration: refuse the database of a newer release, copy a SQLite database.

A migration is not undone. So an upgrade leaves a copy behind, and a release that does not know what was done
to a database leaves that alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

Applied = tuple[str, str]
"""An app's label and the name of a migration of it."""

KEPT = 3
"""Copies beside the database."""
STAMP = "%Y%m%dT%H%M%S"


class UpgradeRefused(Exception):
    """The database is left as it is. The message says why, and what to do."""


@dataclass(frozen=True)
class Copy:
    """A copy of the database from before an upgrade."""

    path: Path

    @property
    def state(self) -> str:
        """Which migrations had been applied, as the name tells."""
        return self.path.name.rpartition("Z-")[2]

    def read_migrations(self) -> set[Applied]:
        """Read which migrations had been applied; none from a file that cannot be read."""
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as file,
        ):
            return set(file.execute("SELECT app, name FROM django_migrations"))
        return set()


def refuse_newer() -> None:
    """Raise `UpgradeRefused` if a migration of ours was applied that this code does not have."""
    loader = MigrationLoader(connection)
    known = _list_known_migrations(loader)
    unknown = sorted(_ours(set(loader.applied_migrations)) - known)
    if not unknown:
        return
    fitting = [
        copy for copy in copies() if (applied := copy.read_migrations()) and not _ours(applied) - known
    ]
    restore = (
        f"put {fitting[-1].path} in its place" if fitting else "restore a backup from before the upgrade"
    )
    raise UpgradeRefused(
        f"A newer version of Llamagate has changed this database: {_list_names(unknown)} not known here. "
        f"Run that version again, or {restore} (docs/operating.md, Going back)."
    )


def prepare() -> str:
    """Before migrating: copy what is there, if it is to be changed. Returns a line for the operator, or "".

    Only one process at a time may do this.

    Raises:
        UpgradeRefused: the database is newer than this code, or it cannot be copied.
    """
    refuse_newer()
    executor = MigrationExecutor(connection)
    to_apply = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not to_apply or not connection.introspection.table_names():
        return ""
    if connection.vendor != "sqlite":
        return "Upgrading the database: this is not undone, so have a backup of it (pg_dump)."
    database = database_file()
    if database is None:
        return ""
    made = _copy(database, _state(set(executor.loader.applied_migrations)))
    return f"Upgrading the database: a copy as it was is {made.path} (the last {KEPT} are kept)."


def database_file() -> Path | None:
    """Give the file of a SQLite database; None where it is in memory, or is no SQLite."""
    name = str(connection.settings_dict["NAME"])
    is_file = connection.vendor == "sqlite" and not name.startswith((":memory:", "file:"))
    return Path(name).absolute() if is_file else None


def copies() -> list[Copy]:
    """List the copies beside the database, the oldest first."""
    database = database_file()
    if database is None:
        return []
    begin = f"{database.name}.backup-"
    found = (path for path in database.parent.iterdir() if path.name.startswith(begin))
    return [Copy(path) for path in sorted(found)]


def _list_known_migrations(loader: MigrationLoader) -> set[Applied]:
    """Give every migration that the code has, and those that it has in one with others."""
    known = loader.disk_migrations or {}
    return {*known, *(replaced for migration in known.values() for replaced in migration.replaces)}


def _ours(applied: set[Applied]) -> set[Applied]:
    """Leave out what belongs to the libraries: ours are the apps beside `manage.py`."""
    here = Path(settings.BASE_DIR)
    labels = {app.label for app in apps.get_app_configs() if Path(app.path).resolve().parent == here}
    return {migration for migration in applied if migration[0] in labels}


def _list_names(migrations: list[Applied]) -> str:
    names = [".".join(migration) for migration in migrations]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _state(applied: set[Applied]) -> str:
    """Name a state by the last migration of each of our apps: `accounts-0003-backends-0005`."""
    by_app = groupby(sorted(_ours(applied)), key=lambda migration: migration[0])
    return "-".join(f"{app}-{list(names)[-1][1].partition('_')[0]}" for app, names in by_app) or "new"


def _copy(database: Path, state: str) -> Copy:
    """Copy the database, whole or not at all, for its owner's eyes only; drop the copies over the limit."""
    now = datetime.now(UTC)
    name = f"{database.name}.backup-{now:{STAMP}}.{now.microsecond // 1000:03}Z-{state}"
    draft = database.with_name(f".{database.name}.backup-draft")
    try:
        _write(draft)
        made = draft.replace(database.with_name(name))
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            _clear(draft)
        raise UpgradeRefused(
            f"The database is to be upgraded, and cannot be copied first: {error}. Nothing was changed. "
            f"Make room beside {database}; or make a backup of it elsewhere, run `manage.py migrate`, which "
            "makes no copy, and start again."
        ) from None
    with suppress(OSError):  # one too many is no reason to stop
        for old in surplus(copies()):
            old.path.unlink()
    return Copy(made)


def _write(draft: Path) -> None:
    _clear(draft)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    connection.ensure_connection()
    with closing(sqlite3.connect(draft)) as copy:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it


def _clear(draft: Path) -> None:
    """Remove what a copy that was cut short left."""
    for end in ("", "-journal", "-wal", "-shm"):
        draft.with_name(draft.name + end).unlink(missing_ok=True)


def surplus(existing: Sequence[Copy]) -> list[Copy]:
    """Choose which copies are over the limit, given the oldest first.

    Of several copies of one state an older one goes before any of another state: an upgrade that fails
    halfway, and is tried again and again, must not push out the copy from before it.
    """
    rest = list(existing)
    while len(rest) > KEPT:
        states = [copy.state for copy in rest]
        repeated = (copy for turn, copy in enumerate(rest, 1) if copy.state in states[turn:])
        rest.remove(next(repeated, rest[0]))
    return [copy for copy in existing if copy not in rest]
