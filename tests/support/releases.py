"""What earlier releases left behind, a folder each in `tests/fixtures/upgrade`, and how it looks today."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import yaml

from . import databases, environment, legs
from .process import START_S

FOLDER = environment.ROOT / "tests" / "fixtures" / "upgrade"


class Release:
    """The data that one release left, and what it said of them."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._folder = folder
        self.about: dict[str, Any] = json.loads((folder / "expected.json").read_text())
        self.client_keys: dict[str, str] = self.about["client_keys"]

    @property
    def expected(self) -> dict[str, Any]:
        """What the release itself told of the database of this leg."""
        found: dict[str, Any] = self.about["postgresql" if legs.wants_postgres() else "sqlite"]
        return found

    def variables(self, data_dir: Path, database_url: str) -> dict[str, str]:
        """Give the environment of a process on its data."""
        given: dict[str, str] = self.about["environment"]
        return given | {"DATA_DIR": str(data_dir), "DATABASE_URL": database_url}

    def unpack(self, data_dir: Path) -> Path:
        """Put its SQLite database where `serve` looks for one."""
        database = data_dir / "llamagate.sqlite3"
        database.write_bytes(gzip.decompress((self._folder / "llamagate.sqlite3.gz").read_bytes()))
        return database

    @contextmanager
    def restored(self, data_dir: Path) -> Iterator[str]:
        """Bring its data into a database of this leg's kind. Gives its URL."""
        if not legs.wants_postgres():
            yield f"sqlite:///{self.unpack(data_dir)}"
            return
        with databases.own_database("llamagate_test_upgrade") as own:
            with psycopg.connect(own.url) as connection:
                connection.execute((self._folder / "llamagate.sql").read_bytes())
            yield own.url

    def describe(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """Ask the code of today the same questions."""
        asked = {"names": self.about["names"], "keys": self.client_keys}
        found: dict[str, Any] = json.loads(
            run(variables, str(FOLDER / "describe.py"), stdin=json.dumps(asked))
        )
        return found


def releases() -> list[Release]:
    """Give every release that left something."""
    return [Release(path.parent) for path in sorted(FOLDER.glob("*/expected.json"))]


def run(variables: Mapping[str, str], *arguments: str, stdin: str = "") -> str:
    """Run something of the product in a process of its own; give what it writes."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command,
        cwd=environment.ROOT,
        env=environment.closed(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def renamed_names() -> Mapping[str, str]:
    """Give the fields of a profile that have another name today; `outer.inner` stands in another field."""
    try:
        names: Mapping[str, str] = import_module("backends.wire.profile_names").RENAMED
    except ModuleNotFoundError:  # none has been renamed yet
        return {}
    return names


def with_new_names(fields: dict[str, Any]) -> dict[str, Any]:
    """Rename the fields of a profile of an earlier release, at every place where they may stand."""
    names = renamed_names()
    found = {}
    for name, value in fields.items():
        if name == "per_model":
            value = {pattern: with_new_names(part) for pattern, part in value.items()}
        elif isinstance(value, dict):
            value = {_inner(names, name, inner): member for inner, member in value.items()}
        found[names.get(name, name)] = value
    return found


def _inner(names: Mapping[str, str], outer: str, inner: str) -> str:
    return names.get(f"{outer}.{inner}", inner).rpartition(".")[2]


def configuration(export: str, names: bool = False) -> dict[str, Any]:
    """Read an exported file; `names`: with the names of today in its profiles."""
    found: dict[str, Any] = yaml.safe_load(export)
    for backend in found["backends"] if names else ():
        if "profile" in backend:
            backend["profile"] = with_new_names(backend["profile"])
    return found
