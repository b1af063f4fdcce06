"""What became of each field of a request on its way to one target: mapped, changed, dropped, added. Pure.

A translation notes what is not plain: what it changed, left out or put in, and why. What it is silent of was
mapped, and `trace` tells where to. Notes are taken only when somebody asked: `SILENT` takes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Verdict = Literal["mapped", "changed", "dropped", "added"]
MOST_SHOWN = 120


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one field."""

    field: str
    """As the client named it: `think`, `options.stop`, `messages[2].thinking`; empty for what was added."""
    verdict: Verdict
    to: str = ""
    """The member of the backend's body."""
    why: str = ""


class Diagnostics:
    """Takes notes, in the order in which things happen."""

    def __init__(self) -> None:
        self.taken: list[Note] = []

    def mapped(self, field: str, to: str) -> None:
        """Say where a field went, where its name alone does not tell."""
        self._take(Note(field, "mapped", to))

    def changed(self, field: str, to: str, why: str) -> None:
        """Say that something else was sent than what was said."""
        self._take(Note(field, "changed", to, why))

    def dropped(self, field: str, why: str) -> None:
        """Say that a field was not sent."""
        self._take(Note(field, "dropped", "", why))

    def added(self, to: str, why: str) -> None:
        """Say that something was sent that the client did not say."""
        self._take(Note("", "added", to, why))

    def extend(self, other: Diagnostics | None) -> None:
        """Take over what was noted before a target was chosen."""
        if other is not None:
            self.taken += other.taken

    def _take(self, note: Note) -> None:
        self.taken.append(note)


class _Silent(Diagnostics):
    def extend(self, other: Diagnostics | None) -> None:
        """Nobody asked."""

    def _take(self, note: Note) -> None:
        """Nobody asked."""


SILENT: Diagnostics = _Silent()


class TranslationContext(msgspec.Struct, frozen=True):
    """What a translation takes and gives beside the body."""

    notes: Diagnostics = SILENT
    recalled: Mapping[str, dict[str, Any]] = {}
    """Tool call -> what its backend wants back with it."""


PLAIN = TranslationContext()


def summarize_value(value: Any) -> str:
    """Show a value in a few words."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
