"""One run of `apply`: how it is to be done, what it changed, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from console.configfile.problems import Problem
from console.configfile.schema import Secret
from console.configfile.sources import SourceError, fetch
from core import changes, plain_secrets

# Longer values are named but not shown.
SHOWN_LENGTH = 60


@dataclass
class Run:
    """Collects lines for the operator and problems for the author of the file."""

    base: Path
    prune: bool = False
    keep_secrets: bool = False
    changes: list[str] = field(default_factory=list)
    """One line each, beginning with + ~ or -."""
    notes: list[str] = field(default_factory=list)
    """What the file asks for and is not done, with the reason."""
    minted: dict[str, str] = field(default_factory=dict, repr=False)
    """Client keys that were made, by team/name: to be shown once."""
    problems: list[Problem] = field(default_factory=list)

    def note_added(self, what: str) -> None:
        """Note a new thing."""
        self.changes.append(f"+ {what}")

    def note_changed(self, what: str, how: str) -> None:
        """Note a changed thing."""
        self.changes.append(f"~ {what}: {how}")

    def note_removed(self, what: str) -> None:
        """Note a thing that is gone, or out of use."""
        self.changes.append(f"- {what}")

    def refuse(self, path: str, message: str) -> None:
        """Note a problem. The run goes on to find the others; in the end nothing is written."""
        self.problems.append(Problem(path, message))

    def secret(self, source: Secret, path: str, *, is_stored: bool) -> str | None:
        """Fetch a secret, or note why that failed. None also when the stored one is to be kept."""
        try:
            return fetch(source, self.base)
        except SourceError as error:
            may_keep = error.absent and is_stored
            if not (may_keep and self.keep_secrets):
                advice = " Or keep the stored one with --keep-secrets." if may_keep else ""
                self.refuse(f"{path}.{error.source}", f"{error}{advice}")
            return None

    def settle(
        self, row: models.Model, wanted: Mapping[str, Any], what: str, path: str, save: Callable[[], object]
    ) -> bool:
        """Bring a row to what the file says; have it written, and note it, only if that differs.

        `wanted` maps the model's fields to values; `save` has the row's service write it. Returns whether
        the row stands.
        """
        before = {name: getattr(row, name) for name in wanted}
        for name, value in wanted.items():
            setattr(row, name, value)
        is_new = row._state.adding
        different = [name for name in wanted if not same(before[name], getattr(row, name))]
        try:
            save() if is_new or different else changes.validate(row)
        except ValidationError as error:
            self._refuse_fields(error, path)
            return False
        if is_new:
            self.note_added(what)
        elif different:
            descriptions = [describe(name, before[name], getattr(row, name)) for name in different]
            self.note_changed(what, ", ".join(descriptions))
        return True

    def _refuse_fields(self, error: ValidationError, path: str) -> None:
        for name, messages in error.message_dict.items():
            place = path if name == NON_FIELD_ERRORS else f"{path}.{FILE_NAMES.get(name, name)}"
            for message in messages:
                self.refuse(place, message)


FILE_NAMES = {"allowed_models": "models"}
"""Where the file's word for a field is another than the model's."""


def same(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def describe(name: str, before: Any, after: Any) -> str:
    """Say how one field changes, on one line."""
    change = f"{_text(plain_secrets.mask(before))} -> {_text(plain_secrets.mask(after))}"
    return f"{FILE_NAMES.get(name, name)} {change}" if len(change) <= SHOWN_LENGTH else f"{name} changed"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return str(value) if hasattr(value, "isoformat") else msgspec.json.encode(value).decode()
