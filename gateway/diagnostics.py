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
    """Collects notes, in the order in which things happen."""

    def __init__(self) -> None:
        self.taken: list[Note] = []

    def note_mapped(self, field: str, to: str) -> None:
        """Note where a field went, where its name alone does not tell."""
        self._take(Note(field, "mapped", to))

    def note_changed(self, field: str, to: str, why: str) -> None:
        """Note that another value was sent than the client gave."""
        self._take(Note(field, "changed", to, why))

    def note_dropped(self, field: str, why: str) -> None:
        """Note that a field was not sent."""
        self._take(Note(field, "dropped", "", why))

    def note_added(self, to: str, why: str) -> None:
        """Note that something was sent that the client did not ask for."""
        self._take(Note("", "added", to, why))

    def withdraw(self, to: str) -> str:
        """Take back what was noted of a member of the body, which goes elsewhere. Gives its field's name."""
        found = [note for note in self.taken if to in note.to.split(", ")]
        self.taken = [note for note in self.taken if note not in found]
        return next((note.field for note in found if note.field), "")

    def extend(self, other: Diagnostics | None) -> None:
        """Take over what was noted before a target was chosen."""
        if other is not None:
            self.taken += other.taken

    def _take(self, note: Note) -> None:
        self.taken.append(note)


class _SilentDiagnostics(Diagnostics):
    def extend(self, other: Diagnostics | None) -> None:
        """Nobody asked."""

    def _take(self, note: Note) -> None:
        """Nobody asked."""


SILENT: Diagnostics = _SilentDiagnostics()


class TranslationContext(msgspec.Struct, frozen=True):
    """What a translation takes and gives beside the body."""

    diagnostics: Diagnostics = SILENT
    recalled: Mapping[str, dict[str, Any]] = {}
    """Tool call -> what its backend wants back with it."""


PLAIN = TranslationContext()


def summarize_value(value: Any) -> str:
    """Show a value in a few words."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
