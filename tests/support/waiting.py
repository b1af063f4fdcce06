"""Waiting: always for a condition, never longer than a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_S = 0.01
PATIENCE_S = 1.5
"""For a time limit that has to run out: long enough to outlast a short stall of a busy machine."""


def eventually(look: Callable[[], T | None], timeout: float = 5.0, what: str = "") -> T:
    """Look again and again until there is something to see, and give it.

    Raises:
        TimeoutError: it was not there in time.
    """
    deadline = time.monotonic() + timeout
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what or look}; last seen: {seen!r}")
        time.sleep(LOOK_S)
    return seen
