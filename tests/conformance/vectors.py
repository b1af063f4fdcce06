"""A vector: a number, what must be seen, where that is known from, what it needs, and the check."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.conformance.subject import Subject
from tests.conformance.verdicts import Verdict

Check = Callable[[Subject], Verdict | None]

WIRE = "wire"
"""Seen on the wire of Ollama 0.33."""
CODE = "code"
"""Read in Ollama's source, not seen on the wire."""
PROXY = "proxy"
"""No matter for Ollama itself: what a server in front of other backends owes its clients."""


class Need(StrEnum):
    """What a check cannot do without."""

    STAGE = "a backend that says what it is told to: `--full` has one"
    EMBEDDING = "an embedding model: `--embedding-model`"
    TEXT = "a model that can neither think nor use tools: `--text-model`"
    CHANGES = "leave to change models: `--changes`"
    LOCAL = "a server that is reached over loopback"
    KEY = "a server that demands keys, and one: `--key`"


@dataclass(frozen=True)
class Vector:
    """One row of the matrix."""

    number: int
    title: str
    source: str
    needs: tuple[Need, ...]
    check: Check


@dataclass
class Section:
    """Vectors about one thing."""

    title: str
    reads: str
    """Where Ollama's source does it."""
    vectors: list[Vector] = field(default_factory=list)

    def vector(self, number: int, title: str, source: str, *needs: Need) -> Callable[[Check], Check]:
        """Add a vector; decorates its check."""

        def add(check: Check) -> Check:
            self.vectors.append(Vector(number, title, source, needs, check))
            return check

        return add
