"""`manage.py dialects`: the kinds of backends, and what is particular to each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from backends.wire.dialect import Dialect
from backends.wire.dialects import DIALECTS
from console import dialect_page
from console.management.base import OperatorCommand


class Command(OperatorCommand):
    """Show the table of dialects, or one profile whole."""

    help = "List the kinds of backends, or show one profile: any of its fields can be changed for a backend."
    examples = """examples:
  manage.py dialects
  manage.py dialects vllm
  manage.py dialects --markdown docs/dialects.md
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a name, or where the page goes."""
        parser.add_argument("name", metavar="NAME", nargs="?", help="show this one's profile as JSON")
        parser.add_argument("--markdown", metavar="FILE", help="write the documentation page")

    def require_database(self) -> None:
        """Need none: the table is part of the program."""

    def run(self, **options: Any) -> None:
        """Print or write."""
        if options["markdown"]:
            Path(options["markdown"]).write_text(dialect_page.write_page())
            self.stdout.write(f"{options['markdown']} written")
        elif options["name"]:
            self.stdout.write(json.dumps(dialect_page.builtins(_find_dialect(options["name"])), indent=2))
        else:
            for dialect in DIALECTS.values():
                self.stdout.write(f"{dialect.name:20}{dialect.label:32}{dialect.base_url}".rstrip())


def _find_dialect(name: str) -> Dialect:
    found = DIALECTS.get(name)
    if found is None:
        raise CommandError(f"There is no dialect {name!r}. Known: {', '.join(DIALECTS)}.")
    return found
