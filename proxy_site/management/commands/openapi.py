"""Write the OpenAPI description of the client surface: `manage.py openapi docs/openapi.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ollama_api.openapi import document as openapi


class Command(BaseCommand):
    """`manage.py openapi`."""

    help = "Write the OpenAPI description of what clients see."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a file."""
        parser.add_argument("file", nargs="?", type=Path, help="where to; standard output if left out")

    def handle(self, *args: Any, file: Path | None, **options: Any) -> None:
        """Write."""
        if file is None:
            self.stdout.write(openapi.write_document(), ending="")
        else:
            file.write_text(openapi.write_document())
