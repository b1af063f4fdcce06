"""What a check can come to."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """From best to least known."""

    EXACT = "exact"
    NEAR = "near"
    NOT_OFFERED = "not offered"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Verdict:
    """How one vector went, and why it is not exact."""

    level: Level
    reason: str = ""
    """The same on every run: what is published of it."""
    detail: str = ""
    """What was seen, for whoever looks into a failure; may hold times and ids."""


EXACT = Verdict(Level.EXACT)


def near(reason: str) -> Verdict:
    """Another answer than Ollama's, on purpose."""
    return Verdict(Level.NEAR, reason)


def not_offered(reason: str) -> Verdict:
    """Refused in words where Ollama would do it."""
    return Verdict(Level.NOT_OFFERED, reason)


def not_checked(reason: str) -> Verdict:
    """This deployment lacks what the check needs."""
    return Verdict(Level.NOT_CHECKED, reason)
