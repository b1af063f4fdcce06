"""A value in memory that follows a revision in the database.

Readers never wait and never lock: they take one reference. A writer builds a whole new value and swaps
the reference, unless somebody swapped in a newer one meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class NotLoadedYet(RuntimeError):
    """The database has not been read once."""


class RevisionedCache(Generic[ValueT]):
    """One value of one subject.

    `load` reads the database and returns (revision read before anything else, value). It runs in whatever
    thread calls `reload`, never on the event loop.
    """

    def __init__(self, name: str, load: Callable[[], tuple[int, ValueT]]) -> None:
        self.name = name
        self._load = load
        self._lock = threading.Lock()
        self._revision = -1
        self._started = 0
        self._taken = 0
        self._value: ValueT | None = None

    @property
    def revision(self) -> int:
        """The revision of the value, -1 before the first load."""
        return self._revision

    def current(self) -> ValueT:
        """Take the value. Raises `NotLoadedYet`."""
        value = self._value
        if value is None:
            raise NotLoadedYet(self.name)
        return value

    def reload(self) -> None:
        """Read the database and swap the value in, unless a reload that began later has done so.

        Not by the revision: it goes back when a database is restored.
        """
        with self._lock:
            self._started += 1
            turn = self._started
        revision, value = self._load()
        with self._lock:
            if turn > self._taken:
                self._taken, self._revision, self._value = turn, revision, value
