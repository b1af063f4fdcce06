"""A circuit breaker: whether something that failed is worth asking again. Pure: the time comes in.

    CLOSED --failures--> OPEN --pause over--> HALF_OPEN --one trial succeeds--> CLOSED
                          ^                       |
                          +------- it fails ------+

It opens after so many failures in a row (five, as Envoy's outlier detection), or when too large a share of a
window's calls failed. A trial costs a client its time, so where each fails the pauses grow, up to a bound.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

State = Literal["closed", "open", "half_open"]


class BreakerSettings(msgspec.Struct, frozen=True):
    """When a breaker opens, and for how long. Times in seconds."""

    consecutive_failures: int = 5
    window_s: float = 30.0
    least_calls: int = 20
    """Fewer calls than that in a window say nothing about a share."""
    error_rate: float = 0.5
    pause_s: float = 10.0
    longest_pause_s: float = 60.0
    """Each trial that fails doubles the pause up to here."""
    trial_s: float = 30.0
    """A trial that did not end in this time is given up, and another may be made."""


SETTINGS = BreakerSettings()
MOST_CALLS = 200
"""Of a window: the latest."""


class CircuitBreaker:
    """One breaker. Times are seconds of the monotonic clock.

    Attributes:
        since: when it took its present state.
        reason: the last failure, in a few words.
        failures: how many failures there were in a row.
        has_failed: a failure was noted lately; as long as none was, successes need not be noted.
        is_watched: somebody else finds out when it may close (`recovery`): no call is risked meanwhile.
    """

    __slots__ = (
        "_calls",
        "_pause_s",
        "_settings",
        "_trial_until",
        "failures",
        "has_failed",
        "is_open",
        "is_watched",
        "open_until",
        "reason",
        "since",
    )

    def __init__(self, settings: BreakerSettings = SETTINGS) -> None:
        self._settings = settings
        self._calls: deque[tuple[float, bool]] = deque(maxlen=MOST_CALLS)
        self.is_open = False
        self._pause_s = settings.pause_s
        self._trial_until = 0.0
        self.open_until = 0.0
        self.since = 0.0
        self.reason = ""
        self.failures = 0
        self.has_failed = False
        self.is_watched = False

    def get_state(self, now: float) -> State:
        """Tell the state."""
        if not self.is_open:
            return "closed"
        return "open" if now < self.open_until else "half_open"

    def may_ask(self, now: float) -> bool:
        """Whether a call may go out: always while closed, one at a time while half open."""
        if not self.is_open:
            return True
        return not self.is_watched and now >= self.open_until and now >= self._trial_until

    def begin_call(self, now: float) -> bool:
        """Note that a call goes out. True if it is the trial of a breaker that is half open."""
        if not self.is_open or now < self.open_until or now < self._trial_until:
            return False
        self._trial_until = now + self._settings.trial_s
        return True

    def end_trial(self) -> None:
        """Note that the trial ended, and showed nothing if its client left: another may be made."""
        self._trial_until = 0.0

    def note_success(self, now: float) -> bool:
        """Note a call that was answered. True if that closed the breaker."""
        self.failures = 0
        self._calls.append((now, True))
        if not self.is_open:
            self._forget_old_calls(now)
            return False
        self.is_open = False
        self._pause_s = self._settings.pause_s
        self._trial_until = 0.0
        self._calls.clear()
        self.has_failed = False
        self.since = now
        return True

    def _forget_old_calls(self, now: float) -> None:
        """Drop what is older than the window, and all if no failure is left."""
        while self._calls and self._calls[0][0] <= now - self._settings.window_s:
            self._calls.popleft()
        self.has_failed = not all(succeeded for _, succeeded in self._calls)
        if not self.has_failed:
            self._calls.clear()

    def note_failure(self, now: float, reason: str, jitter: float = 0.0) -> bool:
        """Note a call that failed. True if that opened the breaker, or opened it again.

        `jitter`: what is added to the pause, as a share of it, so that processes do not try all at once.
        """
        self.failures += 1
        self.has_failed = True
        self.reason = reason
        self._calls.append((now, False))
        if self.is_open and now < self.open_until:
            return False  # a call that was under way when it opened
        if not self.is_open and not self._is_failing(now):
            return False
        if self.is_open:
            self._pause_s = min(2 * self._pause_s, self._settings.longest_pause_s)
        else:
            self.since = now
        self.is_open = True
        self._trial_until = 0.0
        self.open_until = now + self._pause_s * (1 + jitter)
        return True

    def _is_failing(self, now: float) -> bool:
        if self.failures >= self._settings.consecutive_failures:
            return True
        recent = [succeeded for at, succeeded in self._calls if at > now - self._settings.window_s]
        failed = recent.count(False)
        return len(recent) >= self._settings.least_calls and failed >= self._settings.error_rate * len(recent)
