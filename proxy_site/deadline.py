"""A timer for deadlines that are moved with every request, and seldom run out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls back when it has run out. To move it later, or to lift it, asks nothing of the event loop."""

    __slots__ = ("_armed_for", "_at", "_call_back", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, call_back: Callable[[], None]) -> None:
        self._loop = loop
        self._call_back = call_back
        self._at: float | None = None
        self._armed_for = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Let it run out in so many seconds from now."""
        self._at = at = self._loop.time() + seconds
        if self._handle is None:
            self._arm(at)
        elif self._armed_for > at:
            self._handle.cancel()
            self._arm(at)

    def lift(self) -> None:
        """Let it not run out."""
        self._at = None

    def cancel(self) -> None:
        """Be done with it for good: neither the loop nor this holds on to anybody."""
        self._at = None
        self._call_back = _nothing
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @property
    def is_set(self) -> bool:
        """Whether it will run out."""
        return self._at is not None

    def _arm(self, at: float) -> None:
        self._armed_for = at
        self._handle = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        self._handle = None
        if self._at is None:
            return
        if self._at > self._loop.time():
            self._arm(self._at)
            return
        self._at = None
        self._call_back()


def _nothing() -> None:
    """Nobody waits any more."""
