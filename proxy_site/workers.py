"""Several workers on one listening socket: started, watched, started again, drained together."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import structlog
from django.conf import settings

log = structlog.get_logger("llamagate.workers")

LOOK_S = 0.2
RESTART_PAUSE_S = 1.0
GRACE_S = 5.0


class Workers:
    """A parent that serves nothing itself."""

    def __init__(self, count: int, listener: socket.socket) -> None:
        self._fd = listener.fileno()
        self._stopping = False
        self._children = [_Worker(self._fd) for _ in range(count)]

    def run(self) -> None:
        """Run until a signal comes, then drain all."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            for child in self._children:
                child.revive()
            time.sleep(LOOK_S)
        self._drain()

    def _stop(self, *_: object) -> None:
        """Only set a flag: a lock taken in a signal handler may be held by what it interrupted."""
        self._stopping = True

    def _drain(self) -> None:
        for child in self._children:
            child.terminate()
        deadline = time.monotonic() + settings.PROXY.drain_timeout_s + GRACE_S
        for child in self._children:
            child.wait(deadline)


class _Worker:
    """One child process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._start()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        command = [sys.executable, sys.argv[0], "serve", "--worker-fd", str(self._fd)]
        self._process = subprocess.Popen(command, pass_fds=[self._fd])  # our own program

    def revive(self) -> None:
        """Start it again if it died, but not faster than one can read the log."""
        code = self._process.poll()
        if code is not None and time.monotonic() - self._started_at > RESTART_PAUSE_S:
            log.error("worker died, starting another", code=code)
            self._start()

    def terminate(self) -> None:
        """Ask it to drain."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait for its end; past the deadline, end it."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
