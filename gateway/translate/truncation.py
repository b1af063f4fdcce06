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

SPECIAL_TOKENS = 2
"""What a model puts before and behind a text, as Ollama reckons with it."""
MOST_RECOUNTS = 4
"""Further requests for one text that has too many tokens."""
MOST_RECOUNTS_OF_CALL = 64
"""Further requests for all texts of a call."""

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


def cut(text: str, reported: Lengths, known: int | None) -> str:
    """Keep of a refused text what may fit: in proportion to its tokens, else by a guess, else half.

    `known` is the model's context length, for refusals that do not name it.
    """
    limit, half = reported.limit or known, len(text) // 2
    if limit is None:
        length = half
    elif reported.given is not None and limit < reported.given:
        length = int(len(text) * limit / reported.given * MARGIN)
    else:
        length = min(limit * CHARACTERS_PER_TOKEN, half)
    return text[: max(1, length)]


class TokenLimit:
    """How many tokens each text of a call may have, and what may be spent on finding out.

    A token is a byte at least, so that a text of no more bytes than there is room for is surely short enough;
    the others are counted by the backend, each alone.
    """

    def __init__(self, tokens: int, texts: Sequence[str], batch_size: int) -> None:
        self.tokens = tokens
        self.room = tokens - SPECIAL_TOKENS
        """Bytes that surely fit. At most 0: nothing does."""
        self.doubtful = {place for place, text in enumerate(texts) if len(text.encode()) > self.room}
        """The places of the others."""
        batches = -(-len(self.doubtful) // max(1, batch_size))
        self._recounts_left = max(0, MOST_RECOUNTS_OF_CALL - batches)
        """Those that are left over are cut to what surely fits, in batches, and these requests count, too."""

    def divide(self, places: Places, batch_size: int) -> list[Places]:
        """Divide a call into parts: what is surely short enough together, each of the others alone."""
        sure = [place for place in places if place not in self.doubtful]
        return [*parts(sure, batch_size), *([place] for place in places if place in self.doubtful)]

    def may_recount(self) -> bool:
        """Take one of the further requests, if one is left."""
        self._recounts_left -= 1
        return self._recounts_left >= 0

    def shorten(self, text: str, count: int, *, is_last: bool) -> str:
        """Cut a text of `count` tokens: in proportion, or at last to what surely fits."""
        return self.cut_surely(text) if is_last else cut(text, Lengths(count, self.tokens), None)

    def cut_surely(self, text: str) -> str:
        """Cut a text to what surely fits."""
        return text.encode()[: max(0, self.room)].decode(errors="ignore")
