"""Texts in parts that a backend takes, and shortened where one is too long for it. Pure.

A text is known by its place in the request, so that parts can be asked for in any order.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.wire.overflow import Lengths

CHARACTERS_PER_TOKEN = 3
"""Fewer than in most prose: who takes a guess for a refusal asks again."""
MARGIN = 0.95
"""Tokens are not spread evenly over a text."""

Places = Sequence[int]


def parts(places: Places, size: int) -> list[Places]:
    """Split into parts of at most `size`."""
    size = max(1, size)
    return [places[start : start + size] for start in range(0, len(places), size)]


def divide(texts: Sequence[str], places: Places, limit: int | None) -> list[Places]:
    """Divide a part that was refused as too long, so that the fault is found and only that is cut.

    A token is a byte at least, so a text of no more bytes than `limit` has tokens is hardly too long by
    itself; each that can be goes alone. If none can be, they are too long in sum only, and go in halves.
    """
    alone = [place for place in places if limit is not None and len(texts[place].encode()) > limit]
    if not alone:
        return parts(places, (len(places) + 1) // 2)
    rest = sorted(set(places) - set(alone))
    return [*([rest] if rest else []), *([place] for place in alone)]


def cut(text: str, told: Lengths, known: int | None) -> str:
    """Keep of a refused text what may fit: in proportion to its tokens, else by a guess, else half.

    `known` is the model's context length, for refusals that do not name it.
    """
    limit, half = told.limit or known, len(text) // 2
    if limit is None:
        kept = half
    elif told.given is not None and limit < told.given:
        kept = int(len(text) * limit / told.given * MARGIN)
    else:
        kept = min(limit * CHARACTERS_PER_TOKEN, half)
    return text[: max(1, kept)]
