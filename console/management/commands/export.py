"""`manage.py export`: the configuration as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from console.configfile.export import export
from console.management.base import OperatorCommand


class Command(OperatorCommand):
    """Write the configuration, without its secrets."""

    help = "Write the configuration as a file that `apply` reads. Secrets are left to environment variables."
    examples = """examples:
  manage.py export
  manage.py export llamagate.yaml
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file."""
        parser.add_argument(
            "file", metavar="FILE", nargs="?", help="where to write; default: standard output"
        )

    def run(self, **options: Any) -> None:
        """Write to the file, or to standard output."""
        text = export()
        if options["file"] in (None, "-"):
            self.stdout.write(text)
            return
        try:
            Path(options["file"]).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"Cannot write {options['file']}: {error.strerror or error}.") from None
