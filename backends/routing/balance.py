"""In which order to try the targets of a route. Pure: chance comes in as an argument."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from random import Random

from backends.routing.snapshot import Target


def order(targets: Iterable[Target], rng: Random) -> list[Target]:
    """Sort by priority, low first; inside one priority draw by weight, so that shares follow the weights.

    Weight 0 means: only when all others of its priority have been tried.
    """
    chosen = list(targets)
    if len(chosen) < 2:
        return chosen
    chosen.sort(key=lambda target: target.priority)
    ordered: list[Target] = []
    for _, group in groupby(chosen, key=lambda target: target.priority):
        ordered += _draw(list(group), rng)
    return ordered


def _draw(group: list[Target], rng: Random) -> list[Target]:
    """Draw without putting back (Efraimidis and Spirakis 2006: sort by u^(1/w))."""
    if len(group) == 1:
        return group
    return sorted(group, key=lambda target: -(rng.random() ** (1 / target.weight)) if target.weight else 1.0)
