"""Keep the snapshots of this process up to date: look at the revisions twice a second.

One thread with one database connection, whatever the number of requests. When the database is away the
last values serve on; the thread says so once, keeps looking, and says when it is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from backends.revisions import ConfigRevision
from backends.routing.cache import RevisionedCache

log = structlog.get_logger("llamagate.snapshot")


class Follower:
    """A thread that reloads caches whose revision moved."""

    def __init__(self, caches: Sequence[RevisionedCache[Any]], poll_s: float) -> None:
        self._caches = caches
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._loaded = threading.Event()
        self._thread: threading.Thread | None = None
        self._away_since: float | None = None

    def start(self) -> None:
        """Begin to follow; calling it again changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="snapshot-follower", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop and give the connection back."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def wait_loaded(self, timeout_s: float) -> bool:
        """Wait until every cache holds a value. Blocks: not for the event loop."""
        return self._loaded.wait(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._look()
            self._stop.wait(self._poll_s)
        connection.close()

    def _look(self) -> None:
        try:
            self._follow()
        except DatabaseError as error:
            self._note_away(error)
            connection.close()
        except Exception:  # a row that cannot be read must not end the thread that would see it mended
            log.exception("configuration not reloaded: serving from the last snapshot")
        else:
            self._note_back()

    def _follow(self) -> None:
        numbers = dict(ConfigRevision.objects.values_list("name", "number"))
        for cache in self._caches:
            if numbers.get(cache.name, 0) != cache.revision:
                cache.reload()
        self._loaded.set()

    def _note_away(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            reason = " ".join(str(error).split())
            log.error("database away: serving from the last snapshot", reason=reason)

    def _note_back(self) -> None:
        if self._away_since is not None:
            away_s = round(time.monotonic() - self._away_since, 1)
            log.warning("database back", away_s=away_s)
            self._away_since = None
