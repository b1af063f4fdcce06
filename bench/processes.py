"""The processes of a benchmark: started on a core of their own, and stopped whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.05


class StartFailed(Exception):
    """A process did not come up."""


@dataclass(frozen=True)
class Started:
    """A running process and where its output goes."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_until(self, is_ready: Callable[[], bool], what: str, timeout: float = START_TIMEOUT_S) -> None:
        """Wait for a condition as long as the process lives.

        Raises:
            StartFailed: The process ended, or the time is up.
        """
        deadline = time.monotonic() + timeout
        while not is_ready():
            if self.popen.poll() is not None:
                raise StartFailed(f"{self.name} ended with {self.popen.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name}: {what} took over {timeout:.0f} s:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def wait_for_port(self, port: int) -> None:
        """Wait until the process accepts connections."""
        self.wait_until(lambda: accepts(port), f"listening on port {port}")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back for a moment, so that no process is started and forgotten."""
    held: list[int] = []
    numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)

    def hold(number: int, _: FrameType | None) -> None:
        held.append(number)

    former = {number: signal.signal(number, hold) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for number in held:
            signal.raise_signal(number)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Let processes started meanwhile inherit one core; None changes nothing."""
    if core is None:
        yield
        return
    former = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, former)


class Processes:
    """Starts processes and stops all of them at the end."""

    def __init__(self, directory: Path) -> None:
        """Keep the logs in this directory."""
        self._directory = directory
        self._started: list[Started] = []

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop everything."""
        with undisturbed():
            self._stop_all()

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        core: int | None,
        environment: Mapping[str, str] | None = None,
    ) -> Started:
        """Start a Python program in a process group of its own, which a Ctrl-C does not reach before us."""
        log = self._directory / f"{name}.log"
        with log.open("wb") as output, on_core(core), undisturbed():
            popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            started = Started(name, popen, log)
            self._started.append(started)
        return started

    def run(
        self,
        name: str,
        arguments: Sequence[str],
        core: int | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a Python program to its end.

        Raises:
            StartFailed: It failed.
        """
        process = self.start(name, arguments, core, environment)
        try:
            status = process.popen.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise StartFailed(
                f"{name} did not end in {START_TIMEOUT_S:.0f} s:\n{process.log_tail()}"
            ) from None
        self._started.remove(process)
        if status != 0:
            raise StartFailed(f"{name} ended with {status}:\n{process.log_tail()}")

    def last_words(self) -> str:
        """Return the end of every log that is not empty."""
        tails = ((process.name, process.log_tail()) for process in self._started)
        return "\n".join(f"--- {name} ---\n{tail}" for name, tail in tails if tail)

    def _stop_all(self) -> None:
        for process in self._started:
            process.popen.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in self._started:
            with suppress(subprocess.TimeoutExpired):
                process.popen.wait(max(0.0, deadline - time.monotonic()))
            # The group's number is the process's own; it stays taken while anybody in the group is left.
            with suppress(ProcessLookupError):
                os.killpg(process.popen.pid, signal.SIGKILL)
            process.popen.wait()


def accepts(port: int) -> bool:
    """Say whether something listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
