"""The product as operators run it: `manage.py serve`, a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from . import environment
from .raw_http import Client, RawHTTP
from .waiting import eventually

START_S = 90.0
STOP_S = 15.0
READY = re.compile(r"serves the Ollama API on http://[\w.]+:(\d+)")


class ServedProcess:
    """One `manage.py serve` on a free port of loopback, with an environment of the tests' own."""

    port: int
    client: Client

    def __init__(self, data_dir: Path, *arguments: str, **variables: str) -> None:
        self._command = [sys.executable, "manage.py", "serve", *arguments]
        self._environment = environment.closed(DATA_DIR=str(data_dir), PORT="0", **variables)
        data_dir.mkdir(parents=True, exist_ok=True)
        self._output = data_dir / "output.txt"

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, cwd=environment.ROOT, env=self._environment, stdout=output, stderr=output
            )
        try:
            self.port = int(eventually(self._ready, START_S, "the line that names the port")[1])
            self.client = Client(self.port)
            self.client.wait_ready(START_S)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, if the test has not."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def _ready(self) -> re.Match[str] | None:
        if self._process.poll() is not None:
            raise RuntimeError(f"it ended with {self._process.returncode}:\n{self.output}")
        return READY.search(self.output)

    # Its life

    @property
    def pid(self) -> int:
        return self._process.pid

    def terminate(self) -> None:
        """Ask it to stop, as an orchestrator does."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = STOP_S) -> int:
        """Wait for its end; give the exit code."""
        return self._process.wait(timeout)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(STOP_S)

    # What can be seen of it

    def refuses_connections(self) -> bool:
        """Say whether nobody listens on its port any more."""
        try:
            RawHTTP(self.port).leave()
        except ConnectionRefusedError:
            return True
        return False

    @property
    def output(self) -> str:
        """All that it wrote to stdout and stderr."""
        return self._output.read_text(errors="replace")

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Give the log lines of one event, those with these fields."""
        lines = (json.loads(line) for line in self.output.splitlines() if line.startswith("{"))
        return [line for line in lines if fields.items() <= line.items() and line.get("event") == event]

    def wait_logged(
        self, event: str, count: int = 1, timeout: float = 5.0, **fields: Any
    ) -> list[dict[str, Any]]:
        """Wait for so many log lines of one event."""

        def seen() -> list[dict[str, Any]]:
            found = self.logged(event, **fields)
            return found if len(found) >= count else []

        return eventually(seen, timeout, f"{count} lines {event!r} with {fields}")

    @property
    def workers(self) -> list[int]:
        """Give the pids of its children."""
        return [int(pid) for pid in _proc(self.pid, f"task/{self.pid}/children").read_text().split()]

    @property
    def threads(self) -> int:
        return sum(1 for _ in _proc(self.pid, "task").iterdir())

    def open_files(self, name: str) -> int:
        """Count its open descriptors of files whose path begins so."""
        descriptors = _proc(self.pid, "fd").iterdir()
        return sum(_target(descriptor).startswith(name) for descriptor in descriptors)

    def wait_open_files(self, name: str, *, at_most: int, timeout: float = 5.0) -> None:
        """Wait until no more than so many of them are open."""
        eventually(lambda: self.open_files(name) <= at_most, timeout, f"at most {at_most} descriptors")


def is_running(pid: int) -> bool:
    """Say whether a process is there that has not ended; one that nobody has waited for has."""
    try:
        return _proc(pid, "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _proc(pid: int, what: str) -> Path:
    return Path("/proc") / str(pid) / what


def _target(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)  # noqa: PTH115  # a socket's target is no path
    except FileNotFoundError:  # closed meanwhile
        return ""
