"""`manage.py serve`: set up what is missing, then serve."""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from accounts.models import ClientKey
from backends.models import Backend
from console import provision
from console.demo import TOOLS_HINT, DemoModel, DemoUnavailable, sample_lines
from core import upgrade
from proxy_site.server import listen, run_worker
from proxy_site.workers import Workers, end_with_parent

EXAMPLES = """examples:
  manage.py serve
  manage.py serve --host 0.0.0.0 --port 8080 --workers 2 --data-dir /srv/llamagate
  OPENAI_API_KEY=sk-... manage.py serve
  manage.py serve --demo
"""


class Command(BaseCommand):
    """Set up the database, the admin user and a backend from the environment, then serve."""

    help = "Set up what is missing, then serve the Ollama API and the admin."
    requires_system_checks: list[str] = []  # noqa: RUF012  # Django's own contract

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Flags win over the environment variables of the same name."""
        parser.epilog = EXAMPLES
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.add_argument("--host", help="address to bind (HOST; default 127.0.0.1)")
        parser.add_argument("--port", type=int, help="port to bind (PORT; default 11434)")
        parser.add_argument("--workers", type=int, help="number of processes (WORKERS; default 1)")
        parser.add_argument(
            "--data-dir", help="where the database and the keys are (DATA_DIR; default ./data)"
        )
        parser.add_argument("--demo", action="store_true", help="serve a small real model, no account needed")
        parser.add_argument("--worker-fd", type=int, help="(used by serve itself) serve on this socket")
        parser.add_argument("--parent-fd", type=int, help="(used by serve itself) end when this pipe does")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        if options["parent_fd"] is not None:
            end_with_parent(options["parent_fd"])
        if options["worker_fd"] is not None:
            run_worker(socket.socket(fileno=options["worker_fd"]))
            return
        _adopt(options)
        self.check()
        for line in self._prepare():
            self.stdout.write(line)
            self.stdout.flush()
        listener = self._listen()
        if options["demo"]:
            self._serve_demo(listener)
        else:
            self._serve(listener)

    def _prepare(self) -> Iterator[str]:
        try:
            yield from provision.prepare_database()
        except upgrade.UpgradeRefused as refusal:
            raise CommandError(str(refusal)) from None
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(
                f"The database cannot be used: {reason}. Is it running, and is DATABASE_URL right?"
            ) from None

    def _serve_demo(self, listener: socket.socket) -> None:
        try:
            with DemoModel() as demo:
                provision.add_demo(demo.base_url, demo.model)
                host, port = listener.getsockname()[:2]
                samples = sample_lines(host, port, demo.model, python=sys.executable)
                self._serve(listener, [TOOLS_HINT, *samples])
        except DemoUnavailable as error:
            raise CommandError(str(error)) from None

    def _serve(self, listener: socket.socket, samples: Sequence[str] = ()) -> None:
        for line in [*_welcome(listener), *samples]:
            self.stdout.write(line)
        self.stdout.flush()
        if settings.PROXY.workers > 1:
            Workers(settings.PROXY.workers, listener).run()
        else:
            run_worker(listener)

    def _listen(self) -> socket.socket:
        host, port = settings.PROXY.host, settings.PROXY.port
        try:
            return listen(host, port)
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror or error}. "
                "Choose another with PORT=... or --port; an Ollama on this machine uses 11434 too."
            ) from None


def _adopt(options: dict[str, Any]) -> None:
    """Let flags win: for this process, and through the environment for its workers."""
    changes = {name: options[name] for name in ("host", "port", "workers") if options[name] is not None}
    settings.PROXY = settings.PROXY.with_changes(**changes)
    os.environ.update({name.upper(): str(value) for name, value in changes.items()})


def _welcome(listener: socket.socket) -> list[str]:
    host, port = listener.getsockname()[:2]
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104  # compared, not bound
    lines = [f"Llamagate serves the Ollama API on {url} (admin: {url}/admin/)"]
    if not Backend.objects.exists():
        lines.append(
            f"No backend yet: add one at {url}/admin/backends/backend/add/, or start with OPENAI_API_KEY set."
        )
    if not settings.PROXY.is_bound_to_loopback and not settings.PROXY.serve_without_keys:
        lines += _key_hint(url)
    return lines


def _key_hint(url: str) -> list[str]:
    if ClientKey.objects.filter(revoked_at__isnull=True).exists():
        return []
    return [
        f"Clients need a key here, and there is none yet: mint one at {url}/admin/accounts/clientkey/add/."
    ]
