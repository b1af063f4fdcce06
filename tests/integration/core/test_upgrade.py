"""What `serve` does before it migrates: a copy of SQLite, and a refusal of what it does not know."""

import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.proxy_site.test_first_starts import begun
from tests.support import environment
from tests.support.process import START_S, ServedProcess
from tests.support.releases import Release, releases, run

pytestmark = pytest.mark.timeout(300)  # several processes a test, each of which takes seconds to start
OLDEST = "0.1.0-69b0a2f"
COPIED = re.compile(
    r"^Upgrading the database: a copy as it was is (\S+) \(the last 3 are kept\)\.$", re.MULTILINE
)
FUTURE = "INSERT INTO django_migrations (app, name, applied) VALUES ('{}', '0999_future', '2030-01-01')"
PREPARES = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "proxy_site.settings"
import django
django.setup()
from core import upgrade
for _ in range({times}):
    print(upgrade.prepare())
"""


@pytest.fixture(scope="module")
def release() -> Release:
    return next(release for release in releases() if release.name == OLDEST)


@pytest.fixture
def database(release: Release, tmp_path: Path) -> Path:
    """A SQLite database of an old release in a data directory."""
    return release.unpack(tmp_path)


def variables_of(release: Release, database: Path) -> dict[str, str]:
    return release.variables(database.parent, f"sqlite:///{database}")


def start(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is to fail, such as a start that is refused."""
    command = [sys.executable, "manage.py", *(arguments or ("serve",))]
    return subprocess.run(
        command,
        cwd=environment.ROOT,
        env=environment.closed(PORT="0", **variables),
        capture_output=True,
        text=True,
        timeout=START_S,
    )


def copies(database: Path) -> list[Path]:
    return sorted(path for path in database.parent.iterdir() if ".backup-" in path.name)


def execute(database: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as opened, opened:
        return list(opened.execute(statement))


def migrations(database: Path) -> set[str]:
    return {
        name for (name,) in execute(database, "SELECT name FROM django_migrations WHERE app = 'backends'")
    }


def columns(database: Path) -> list[str]:
    return [row[1] for row in execute(database, "PRAGMA table_info(backends_credential)")]


@pytest.mark.sqlite
class TestTheCopy:
    def test_is_made_before_the_upgrade_and_told_in_one_line(self, release: Release, database: Path) -> None:
        before = dict(execute(database, "SELECT uid, secret FROM backends_credential"))
        variables = variables_of(release, database)
        del variables["DATA_DIR"]
        database.chmod(0o644)
        with ServedProcess(database.parent, **variables) as served:
            output = served.output
        told = COPIED.findall(output)
        assert told == [str(path) for path in copies(database)]
        assert output.index("Upgrading the database") < output.index("serves the Ollama API on")
        (copy,) = copies(database)
        assert re.search(r"\.backup-\d{8}T\d{6}\.\d{3}Z-accounts-0003-backends-0004$", copy.name)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert execute(copy, "PRAGMA integrity_check") == [("ok",)]
        assert dict(execute(copy, "SELECT uid, secret FROM backends_credential")) == before
        assert "0004_probe_results" in migrations(copy)
        assert "0005_keys_for_one_server" in migrations(database) - migrations(copy)
        assert "origin" in columns(database)
        assert "origin" not in columns(copy)

    def test_is_no_more_made_once_it_is_upgraded(self, release: Release, database: Path) -> None:
        variables = variables_of(release, database)
        run(variables, "manage.py", "migrate")
        assert run(variables, "-c", PREPARES.format(times=1)) == "\n"
        assert copies(database) == []

    def test_is_made_of_nothing_by_no_first_start(self, tmp_path: Path) -> None:
        with ServedProcess(tmp_path) as served:
            assert "Upgrading" not in served.output
        assert copies(tmp_path / "llamagate.sqlite3") == []

    def test_is_one_of_the_last_three(self, release: Release, database: Path) -> None:
        told = COPIED.findall(run(variables_of(release, database), "-c", PREPARES.format(times=5)))
        assert len(set(told)) == 5
        assert [str(path) for path in copies(database)] == told[-3:]

    def test_is_made_once_by_starts_at_the_same_moment(self, release: Release, database: Path) -> None:
        with begun(database.parent) as one, begun(database.parent) as two:
            for process in (one, two):
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in (one, two):
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            told = [process.communicate(timeout=START_S) for process in (one, two)]
        assert [one.returncode, two.returncode] == [0, 0], told
        assert len(copies(database)) == len(COPIED.findall("".join(out for out, _ in told))) == 1
        assert "0004_probe_results" in migrations(copies(database)[0])

    def test_holds_what_only_the_log_beside_the_file_has(self, release: Release, database: Path) -> None:
        with closing(sqlite3.connect(database, isolation_level=None)) as writer:
            writer.execute("PRAGMA journal_mode=WAL")
            writer.execute("UPDATE backends_backend SET notes = 'only in the log'")
            run(variables_of(release, database), "-c", PREPARES.format(times=1))
        assert set(execute(copies(database)[0], "SELECT notes FROM backends_backend")) == {
            ("only in the log",)
        }

    def test_that_cannot_be_made_stops_the_upgrade(self, release: Release, database: Path) -> None:
        (database.parent / f".{database.name}.backup-draft").mkdir()
        done = start(variables_of(release, database))
        assert done.returncode == 1
        assert "cannot be copied first" in done.stderr
        assert "Traceback" not in done.stderr
        assert "origin" not in columns(database)

    def test_that_was_cut_short_is_made_anew(self, release: Release, database: Path) -> None:
        for end in ("", "-wal", "-journal"):
            (database.parent / f".{database.name}.backup-draft{end}").write_bytes(b"half of it" * 500)
        run(variables_of(release, database), "-c", PREPARES.format(times=1))
        assert execute(copies(database)[0], "PRAGMA integrity_check") == [("ok",)]
        assert not list(database.parent.glob(".*draft*"))

    def test_is_told_although_the_migration_fails(self, release: Release, database: Path) -> None:
        execute(database, 'CREATE TABLE "new__backends_credential" (in_the_way)')  # Django's name for its own
        done = start(variables_of(release, database))
        assert done.returncode != 0
        assert COPIED.findall(done.stdout) == [str(path) for path in copies(database)]


@pytest.mark.sqlite
class TestANewerDatabase:
    def test_is_refused_in_a_sentence_and_left_alone(self, release: Release, database: Path) -> None:
        execute(database, FUTURE.format("backends"))
        before = database.read_bytes()
        done = start(variables_of(release, database))
        assert done.returncode == 1
        assert done.stderr.strip() == (
            "CommandError: A newer version of Llamagate has changed this database: backends.0999_future is "
            "not known here. Run that version again, or restore a backup from before the upgrade "
            "(docs/operating.md, Going back)."
        )
        assert database.read_bytes() == before
        assert copies(database) == []

    def test_names_the_last_copy_that_fits(self, release: Release, database: Path) -> None:
        variables = variables_of(release, database)
        run(variables, "-c", PREPARES.format(times=2))
        unknown, broken = (
            database.with_name(f"{database.name}.backup-2999{n}Z-backends-0999") for n in (1, 2)
        )
        execute(database, FUTURE.format("accounts"))
        unknown.write_bytes(database.read_bytes())
        broken.write_bytes(b"no database")
        done = start(variables)
        assert f"or put {copies(database)[1]} in its place (" in done.stderr
        assert "accounts.0999_future is not known here" in done.stderr

    def test_is_refused_by_the_other_commands_too(self, release: Release, database: Path) -> None:
        variables = variables_of(release, database)
        run(variables, "manage.py", "migrate")
        execute(database, FUTURE.format("backends"))
        for command in (["export"], ["rotate_credentials"], ["apply", "-"]):
            done = start(variables, *command)
            assert done.returncode == 1
            assert "A newer version of Llamagate has changed this database" in done.stderr, command

    def test_is_none_when_only_a_library_is_newer(self, release: Release, database: Path) -> None:
        execute(database, FUTURE.format("auth"))
        execute(database, FUTURE.format("an_app_of_no_more"))
        assert COPIED.search(run(variables_of(release, database), "-c", PREPARES.format(times=1)))

    def test_can_be_gone_back_from_as_the_page_says(self, release: Release, database: Path) -> None:
        """As in docs/operating.md: the copy put in the place of the database, which is a file by itself."""
        variables = variables_of(release, database)
        prepared = run(variables, "-c", PREPARES.format(times=1))
        (copy,) = COPIED.findall(prepared)
        execute(database, FUTURE.format("backends"))
        Path(copy).replace(database)
        for end in ("-wal", "-shm"):
            database.with_name(database.name + end).unlink(missing_ok=True)
        run(variables, "manage.py", "migrate")
        assert release.describe(variables)["credentials"] == release.expected["credentials"]


@pytest.mark.postgres
class TestPostgreSQL:
    @pytest.fixture
    def url(self, release: Release, tmp_path: Path) -> Iterator[str]:
        with release.restored(tmp_path) as url:
            yield url

    def test_an_upgrade_says_to_have_a_backup_once(self, release: Release, url: str, tmp_path: Path) -> None:
        variables = release.variables(tmp_path, url)
        line = "Upgrading the database: this is not undone, so have a backup of it (pg_dump).\n"
        assert run(variables, "-c", PREPARES.format(times=1)) == line
        run(variables, "manage.py", "migrate")
        assert run(variables, "-c", PREPARES.format(times=1)) == "\n"
        assert list(tmp_path.iterdir()) == []

    def test_a_newer_database_is_refused(self, release: Release, url: str, tmp_path: Path) -> None:
        with psycopg.connect(url) as connection:
            connection.execute(FUTURE.format("backends").encode())
        done = start(release.variables(tmp_path, url))
        assert done.returncode == 1
        assert "backends.0999_future is not known here" in done.stderr
        assert "or restore a backup from before the upgrade" in done.stderr
        with psycopg.connect(url) as connection:
            applied = connection.execute(
                "SELECT name FROM django_migrations WHERE app = 'backends'"
            ).fetchall()
        assert ("0005_keys_for_one_server",) not in applied
