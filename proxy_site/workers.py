"""Several workers on one listening socket: started, watched, started again, drained together.

A worker learns that its parent is gone from a pipe whose other end only the parent holds: however that
ended, the kernel closes it, on every Unix.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
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
        self._listener = listener
        self._stopping = False
        self._count = count
        # The end to write to is never written to, and inherited by nobody.
        self._parent_fd, self._alive_fd = os.pipe()
        self._children: list[_Worker] = []

    def run(self) -> None:
        """Run until a signal comes, then drain all."""
        for number in (signal.SIGTERM, signal.SIGINT):  # before there is a worker that could be left behind
            signal.signal(number, self._stop)
        fds = (self._listener.fileno(), self._parent_fd)
        self._children += [_Worker(*fds) for _ in range(self._count)]
        while not self._stopping:
            for child in self._children:
                child.revive()
            time.sleep(LOOK_S)
        self._drain()

    def _stop(self, *_: object) -> None:
        """Only set a flag: a lock taken in a signal handler may be held by what it interrupted."""
        self._stopping = True

    def _drain(self) -> None:
        """Ask all to drain, and wait for them."""
        self._listener.close()  # while any process keeps it, new clients wait in a queue that nobody serves
        for child in self._children:
            child.terminate()
        deadline = time.monotonic() + settings.PROXY.drain_timeout_s + GRACE_S
        for child in self._children:
            child.wait(deadline)


class _Worker:
    """One child process."""

    def __init__(self, listener_fd: int, parent_fd: int) -> None:
        self._fds = (listener_fd, parent_fd)
        self._start()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        listener_fd, parent_fd = self._fds
        command = [sys.executable, sys.argv[0], "serve"]
        command += ["--worker-fd", str(listener_fd), "--parent-fd", str(parent_fd)]
        self._process = subprocess.Popen(command, pass_fds=self._fds)  # our own program

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


def end_with_parent(parent_fd: int) -> None:
    """Drain this worker once its parent is gone. `parent_fd`: the end to read of the pipe that it holds."""
    threading.Thread(target=_watch_parent, args=(parent_fd,), name="parent watch", daemon=True).start()


def _watch_parent(parent_fd: int) -> None:
    """Do what the parent would have done: ask to drain, and past the deadline, end it."""
    os.read(parent_fd, 1)  # nothing is ever written: this returns when the other end is closed
    log.error("the parent is gone: this worker drains and ends")
    deadline = time.monotonic() + settings.PROXY.drain_timeout_s + GRACE_S
    os.kill(os.getpid(), signal.SIGTERM)
    # The deadline itself, and no waiting for luck: a process that is done sooner takes this daemon thread
    # with it. The main thread cannot be waited for instead: others may outlive it and hold the process.
    time.sleep(max(0.0, deadline - time.monotonic()))
    os.kill(os.getpid(), signal.SIGKILL)
