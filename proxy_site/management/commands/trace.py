"""`manage.py trace`: what becomes of each field of a request, target by target. No backend is asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from backends.routing import registry
from console import learned_notes
from console.management.base import OperatorCommand
from gateway import tracing
from gateway.errors import RequestError
from gateway.trace_report import TraceReport
from ollama_api.operations import GENERATIONS


class Command(OperatorCommand):
    """Translate as a request would be, by the routing table that requests use, freshly read."""

    help = "Show what becomes of each field of a request, for every target of its model. No backend is asked."
    examples = """examples:
  manage.py trace request.json
  manage.py trace request.json --path /v1/messages --body
  echo '{"model": "gpt-4o", "messages": [], "think": true}' | manage.py trace -
"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the request, and where it would be sent."""
        parser.add_argument("file", metavar="FILE", help="the request's JSON body; - reads standard input")
        parser.add_argument(
            "--path", default="/api/chat", choices=list(GENERATIONS), help="the route (default /api/chat)"
        )
        parser.add_argument(
            "--body", action="store_true", help="also print the body that each backend would get"
        )

    def run(self, **options: Any) -> None:
        """Print the account for each target."""
        _, snapshot = registry.load()
        learned_notes.load()
        try:
            api = GENERATIONS[options["path"]]
            traced, skipped = tracing.trace_request(api, _read(options["file"]), snapshot)
        except RequestError as error:
            raise CommandError(f"The request would be refused: {error.message}") from None
        for one in traced:
            report = one.report
            self.stdout.write(
                f"{report.model} on {report.backend} ({report.dialect}): {one.candidate.reason}"
            )
            for line in _lines(report):
                self.stdout.write(f"  {line}")
            if options["body"]:
                self.stdout.write(json.dumps(one.body, indent=2, ensure_ascii=False))
        for left_out in skipped:
            target = left_out.target
            self.stdout.write(f"{target.model} on {target.upstream.name}: not asked: {left_out.reason}")


def _lines(account: TraceReport) -> list[str]:
    return [
        f"{note.verdict:8} {note.field or note.to}"
        f"{f' -> {note.to}' if note.field and note.to else ''}{f': {note.why}' if note.why else ''}"
        for note in account.notes
    ]


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
