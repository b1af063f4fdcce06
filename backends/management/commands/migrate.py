"""`manage.py migrate`: Django's own, whose statements may take as long as they need."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from core import database


class Command(migrate.Command):
    """A migration that were cut in the middle would be worse than a slow one."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate."""
        with database.lift_statement_limit():
            super().handle(*args, **options)
