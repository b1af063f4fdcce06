"""The records of one fake, written by its loop and read and awaited by the threads of tests."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import TypeVar

from .records import Json, Request, Stream, StreamState

T = TypeVar("T")


class Ledger:
    """Requests, streams and connections, with a condition to wait on.

    `keep` bounds how many requests and streams are remembered; the counts go on.
    """

    def __init__(self, keep: int | None = None) -> None:
        self._condition = threading.Condition()
        self._requests: deque[Request] = deque(maxlen=keep)
        self._streams: deque[Stream] = deque(maxlen=keep)
        self._waiters = 0
        self._counts: Counter[str] = Counter()
        self._connections = 0
        self.errors: list[BaseException] = []

    @property
    def requests(self) -> list[Request]:
        with self._condition:
            return list(self._requests)

    @property
    def streams(self) -> list[Stream]:
        with self._condition:
            return list(self._streams)

    @property
    def connections(self) -> int:
        return self._connections

    def counts(self) -> Json:
        """Count connections, and answers to POST by their state."""
        states = ("open", "finished", "cut", "aborted")
        return {"connections": self._connections, **{state: self._counts[state] for state in states}}

    def clear(self) -> None:
        """Forget requests and streams; those still open go on unrecorded."""
        with self._condition:
            self._requests.clear()
            self._streams.clear()

    def connected(self, step: int) -> None:
        self._connections += step
        self.changed()

    def begin(self, request: Request) -> Stream:
        """Record a request and, if it is a POST, the answer that now begins."""
        stream = Stream(request, time.monotonic(), changed=self.changed)
        with self._condition:
            self._requests.append(request)
            if request.method == "POST":
                self._streams.append(stream)
                self._counts["open"] += 1
        self.changed()
        return stream

    def settle(self, stream: Stream, state: StreamState) -> None:
        """Record how a stream ended."""
        if stream.request.method == "POST":
            self._counts["open"] -= 1
            self._counts[state] += 1
        stream.set(state=state, ended=time.monotonic(), blocked=False, waiting=None)

    def changed(self) -> None:
        """Wake the waiting threads. Without any it costs next to nothing: it is called for each chunk."""
        if self._waiters:
            with self._condition:
                self._condition.notify_all()

    def wait_for(self, predicate: Callable[[], T | None], timeout: float, what: str) -> T:
        """Wait until a predicate holds, and return its value.

        Raises:
            TimeoutError: it did not hold in time; the text says what the fake saw.
        """
        with self._condition:
            self._waiters += 1
            try:
                value = self._condition.wait_for(predicate, timeout)
            finally:
                self._waiters -= 1
            if not value:
                raise TimeoutError(f"no {what} within {timeout} s; the fake saw {self.describe()}")
            return value

    def describe(self) -> str:
        """Tell in words what was seen."""
        seen = [f"{request.method} {request.path}" for request in self.requests]
        ended = [f"{s.request.model}: {s.state} after {s.chunks_written} chunks" for s in self.streams]
        return f"requests {seen}, streams {ended}, {self._connections} open connections"
