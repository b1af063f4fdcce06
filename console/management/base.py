"""What the operators' commands share: help with examples, and errors as sentences."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from core import upgrade


class _Formatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Our own arguments first, and the examples as they are written."""


class OperatorCommand(BaseCommand):
    """A command that needs a database that is set up."""

    examples = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Add the examples, and what every command of ours takes."""
        parser = super().create_parser(
            prog_name, subcommand, formatter_class=_Formatter, epilog=self.examples, **kwargs
        )
        parser.add_argument(
            "--data-dir", help="where the database and the keys are (DATA_DIR; default ./data)"
        )
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Let an operator's error look like one."""
        # Not only around `handle`: Django's own checks open the database already.
        try:
            return super().execute(*args, **options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except OperationalError as error:
            advice = "check DATABASE_URL and DATA_DIR, or run `manage.py serve` once to make a new one"
            raise CommandError(f"The database failed ({error}): {advice}.") from None

    def handle(self, *args: Any, **options: Any) -> None:
        """Run on a database that is set up."""
        self.require_database()
        self.run(**options)

    def run(self, **options: Any) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def require_database(self) -> None:
        """Refuse a database without our tables, or with those of an older or a newer release."""
        try:
            upgrade.refuse_newer()
        except upgrade.UpgradeRefused as refusal:
            raise CommandError(str(refusal)) from None
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError(
                "The database is not set up for this release: run `manage.py serve` once, "
                "or `manage.py migrate`."
            )
