"""Says once that the database cannot be read and since when, and once that it can be read again."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import structlog

log = structlog.get_logger("llamagate.snapshot")

REASON_CHARS = 300


class Outage:
    """What is known of the database's health. Threads may share it."""

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._lock = threading.Lock()
        self._read_at = _Moment()
        self._since: _Moment | None = None

    def note_alive(self) -> None:
        """A part was read: who reads much is not silent."""
        with self._lock:
            self._read_at = _Moment()

    def note_read(self) -> None:
        """All was read: an outage that was announced is over."""
        with self._lock:
            self._read_at = _Moment()
            since, self._since = self._since, None
        if since is not None:
            log.warning("database back", away_s=round(since.age_s, 1), since=since.text)

    def note_failed(self, reason: str) -> None:
        """Announce an outage, unless it is announced already."""
        with self._lock:
            if self._since is not None:
                return
            since = self._since = self._read_at
        log.error(
            "database away: serving from the last snapshot", reason=reason[:REASON_CHARS], since=since.text
        )

    def look(self) -> None:
        """Announce an outage if nothing was read for too long."""
        silent_s = self._read_at.age_s
        if silent_s > self._silence_s:
            self.note_failed(f"no answer for {silent_s:.0f} seconds")


class _Moment:
    """Now, on the clock that never jumps and on the one that people read."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self.text = datetime.now(UTC).isoformat(timespec="seconds")

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._at
