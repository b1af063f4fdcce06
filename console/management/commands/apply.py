"""`manage.py apply`: bring a configuration file into the database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser
from django.db import IntegrityError

from console.configfile.apply import apply
from console.configfile.parsing import parse
from console.configfile.problems import ConfigError
from console.configfile.run import Run
from console.configfile.yaml_reader import MAX_BYTES, read_yaml
from console.management.base import OperatorCommand

STDIN = "-"


class Command(OperatorCommand):
    """Apply a file: all of it, or nothing."""

    help = "Bring a configuration file in: backends, mappings, teams and client keys. All of it, or nothing."
    examples = """examples:
  manage.py apply llamagate.yaml
  manage.py apply llamagate.yaml --dry-run          show what would change
  manage.py apply llamagate.yaml --prune            delete what the file does not name
  ssh other manage.py export | manage.py apply - --keep-secrets

The format is explained in docs/configuration-file.md.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, and how to go about it."""
        parser.add_argument("file", metavar="FILE", help="the YAML file, or - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="delete what the file does not name (a section that it does not have is left alone)",
        )
        parser.add_argument(
            "--keep-secrets",
            action="store_true",
            help="keep a stored secret if the variable or the file that should hold it is absent",
        )

    def run(self, **options: Any) -> None:
        """Read, check, apply, and say what changed."""
        name: str = options["file"]
        base = Path() if name == STDIN else Path(name).parent
        run = Run(base, prune=options["prune"], keep_secrets=options["keep_secrets"])
        try:
            apply(parse(read_yaml(_read(name))), run, dry_run=options["dry_run"])
        except ConfigError as error:
            raise CommandError(_explain(name, error)) from None
        except IntegrityError:
            raise CommandError(
                "Somebody else changed the configuration at the same time. Nothing was written: run it again."
            ) from None
        self._report(run, dry_run=options["dry_run"])

    def _report(self, run: Run, *, dry_run: bool) -> None:
        for line in run.changes:
            self.stdout.write(line)
        for note in run.notes:
            self.stdout.write(f"! {note}")
        if not dry_run:
            for name, key in run.minted.items():
                self.stdout.write(f"Key {name}, shown only now: {key}")
        self.stdout.write(_summary(len(run.changes), dry_run=dry_run))


def _read(name: str) -> bytes:
    """Read a byte more than is allowed, so that more is noticed."""
    try:
        if name == STDIN:
            return _read_up_to_limit(sys.stdin.buffer)
        with Path(name).open("rb") as file:
            return _read_up_to_limit(file)
    except OSError as error:
        raise CommandError(f"Cannot read {name}: {error.strerror or error}.") from None


def _read_up_to_limit(file: BinaryIO) -> bytes:
    return file.read(MAX_BYTES + 1)


def _explain(name: str, error: ConfigError) -> str:
    title = "standard input" if name == STDIN else name
    lines = [f"Nothing was changed, because of {title}:"]
    return "\n".join([*lines, *(f"  {problem}" for problem in error.problems)])


def _summary(count: int, *, dry_run: bool) -> str:
    if not count:
        return "no changes"
    changes = "1 change" if count == 1 else f"{count} changes"
    return f"{changes}, not written (dry run)" if dry_run else changes
