"""Measure what an input of double the size costs, on a machine where others work, too."""

import gc
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

Work = Callable[[], Any]
MOST = 2.5
"""Times the cost for double the input: 2 where work is linear, 4 where it goes with the square."""
LEAST_RUNS = 3
MOST_RUNS = 40
"""The least counts: what disturbs makes work dearer, never cheaper. What was disturbed is measured again, and
work that goes with the square stays what it is."""


class Case(NamedTuple):
    """Something whose cost is asked for."""

    name: str
    make: Callable[[int], Work]
    """Make an input of a size, and give what is to be measured: it starts anew whenever it is called."""
    size: int
    """Costs some milliseconds, so that a square in it shows."""


def growth(case: Case) -> float:
    """Say how many times the cost is for double the input.

    What is over the bound is measured at smaller sizes, too, and the least counts. A square is one at any
    size; the step from one of the processor's caches to the next, which neighbours make steeper, is not.
    """
    least = float("inf")
    for part in (1, 2, 4):
        least = min(least, _measure_growth(case._replace(size=case.size // part)))
        if least <= MOST:
            break
    return least


def _measure_growth(case: Case) -> float:
    """Give the mean of two doublings: over one alone, such a step may look like more than it is."""
    small, large = case.make(case.size // 2), case.make(2 * case.size)
    least_small = least_large = float("inf")
    for run in range(1, MOST_RUNS + 1):
        least_small = min(least_small, cost_s(small))
        least_large = min(least_large, cost_s(large))
        if run >= LEAST_RUNS and least_large <= MOST**2 * least_small:
            break
    return math.sqrt(least_large / least_small)


def cost_s(work: Work) -> float:
    """Measure processor seconds, without those of the garbage collector, which comes when it likes."""
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return max(time.thread_time() - began, 1e-6)
    finally:
        gc.enable()
