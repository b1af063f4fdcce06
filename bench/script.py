"""What the fake upstream says, known to both ends: the upstream sends it, the load generator expects it.

A text is made of numbered pieces, each different from every other piece of every other text in flight, so
that a piece that was lost, doubled, moved or taken from somebody else's answer cannot go unseen.
"""

from functools import lru_cache

PROMPT_TOKENS = 17
FINISH_REASON = "length"

BURST = "burst"
WRITES = "writes"
PACED_PREFIX = "paced-"


def paced(interval_ms: int) -> str:
    """Name the model that sends one chunk every so many milliseconds."""
    return f"{PACED_PREFIX}{interval_ms}ms"


def interval_of(model: str) -> float | None:
    """Return the seconds between two chunks of a paced model, None for any other model."""
    number = model.removeprefix(PACED_PREFIX).removesuffix("ms")
    return int(number) / 1000 if model == f"{PACED_PREFIX}{number}ms" and number.isdecimal() else None


@lru_cache(maxsize=4096)
def pieces(seed: int, count: int) -> tuple[str, ...]:
    """Return the chunks of one answer; the seed tells concurrent answers apart."""
    return tuple(f" {seed}.{number}" for number in range(count))


@lru_cache(maxsize=4096)
def text(seed: int, count: int) -> str:
    """Return one answer whole."""
    return "".join(pieces(seed, count))
