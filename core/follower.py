"""Keep the snapshots of this process up to date: look at the revisions twice a second.

One thread with one database connection, whatever the number of requests. When the database is away or hangs
the last values serve on. A second thread watches the first: a read may hang where no timeout of a driver
reaches (a name server, a disk), and an operator has to hear of it all the same, since a key that is revoked
meanwhile is still accepted here.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from core import database
from core.outage import Outage
from core.revisions import ConfigRevision
from core.snapshot_cache import RevisionedCache

log = structlog.get_logger("llamagate.snapshot")

STATEMENT_S = 2.5
"""The follower's statements are small: one that takes longer will not be answered."""
SILENCE_S = 3.5
"""With no read for so long the configuration is not followed any more, whatever the reason."""
WATCH_S = 0.5


class Follower:
    """A thread that reloads caches whose revision moved, and one that watches it."""

    def __init__(self, caches: Sequence[RevisionedCache[Any]], poll_s: float) -> None:
        self._caches = caches
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._loaded = threading.Event()
        self._threads: list[threading.Thread] = []
        self._outage = Outage(SILENCE_S + poll_s)
        self._unreadable = ""

    def start(self) -> None:
        """Begin to follow; calling it again changes nothing."""
        if self._threads:
            return
        for name, run in (("snapshot-follower", self._run), ("snapshot-watch", self._watch)):
            self._threads.append(threading.Thread(target=run, name=name, daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop and give the connection back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def wait_for_caches(self, timeout_s: float) -> bool:
        """Wait until every cache holds a value. Blocks: not for the event loop."""
        return self._loaded.wait(timeout_s)

    def _run(self) -> None:
        with database.statement_limit(STATEMENT_S):
            while not self._stop.is_set():
                self._look()
                self._stop.wait(self._poll_s)
            connection.close()

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_S):
            self._outage.look()

    def _look(self) -> None:
        try:
            self._follow()
        except DatabaseError as error:
            self._outage.note_failed(" ".join(str(error).split()))
            connection.close()
        except (
            Exception
        ) as error:  # a row that cannot be read must not end the thread that would see it mended
            self._note_unreadable(error)
        else:
            self._outage.note_read()
            self._unreadable = ""

    def _follow(self) -> None:
        numbers = dict(ConfigRevision.objects.values_list("name", "number"))
        for cache in self._caches:
            if numbers.get(cache.name, 0) != cache.revision:
                cache.reload()
                self._outage.note_alive()
        self._loaded.set()

    def _note_unreadable(self, error: Exception) -> None:
        """Say once what is wrong with the rows; the database itself answers."""
        self._outage.note_read()
        if self._unreadable != repr(error):
            self._unreadable = repr(error)
            log.exception("configuration not reloaded: serving from the last snapshot")
