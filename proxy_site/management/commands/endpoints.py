"""`manage.py endpoints`: every path that clients can ask, and where it leads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from console.management.base import OperatorCommand
from ollama_api.endpoint_list import list_endpoints
from ollama_api.endpoint_page import write_line, write_page
from proxy_site.config import BASE_DIR

TESTS = BASE_DIR / "tests" / "endpoints.json"
"""Which files test an endpoint; a release without tests has none."""


class Command(OperatorCommand):
    """Show the list of endpoints, or write the page about them."""

    help = "List every endpoint with its operation and the paths that a backend may be asked for it."
    examples = """examples:
  manage.py endpoints
  manage.py endpoints --markdown docs/endpoints.md
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where the page goes."""
        parser.add_argument("--markdown", metavar="FILE", help="write the documentation page")

    def require_database(self) -> None:
        """Need none: the list is part of the program."""

    def run(self, **options: Any) -> None:
        """Print or write."""
        if options["markdown"]:
            Path(options["markdown"]).write_text(write_page(json.loads(TESTS.read_text())))
            self.stdout.write(f"{options['markdown']} written")
        else:
            self.stdout.write("\n".join(map(write_line, list_endpoints())))
