"""Log lines that strangers can cause: so many in a window of time, each field short, the rest counted."""

from __future__ import annotations

import asyncio
import time
from typing import Any

MOST_LINES = 20
WINDOW_S = 60.0
LONGEST_FIELD = 200


class BoundedLog:
    """Warnings of one kind. Those above the bound are left out; their number is logged at the end."""

    def __init__(
        self, log: Any, event: str, *, most: int = MOST_LINES, window_s: float = WINDOW_S, **always: Any
    ) -> None:
        self._log = log
        self._event = event
        self._always = always
        self._most = most
        self._window_s = window_s
        self._ends_at = 0.0
        self._written = 0
        self._left_out = 0

    def warning(self, **fields: Any) -> None:
        """Write a line, or count it. Call it on the event loop."""
        now = time.monotonic()
        if now >= self._ends_at:
            self._tell_left_out()
            self._ends_at, self._written = now + self._window_s, 0
        if self._written < self._most:
            self._written += 1
            self._log.warning(
                self._event, **self._always, **{name: _short(value) for name, value in fields.items()}
            )
        else:
            self._leave_out(self._ends_at - now)

    def _leave_out(self, left_s: float) -> None:
        self._left_out += 1
        if self._left_out == 1:
            asyncio.get_running_loop().call_later(left_s, self._tell_left_out)

    def _tell_left_out(self) -> None:
        if self._left_out:
            self._log.warning(f"{self._event}: lines left out", **self._always, count=self._left_out)
            self._left_out = 0


def _short(value: Any) -> Any:
    return value[:LONGEST_FIELD] if isinstance(value, str) else value
