"""Versions of stored rows: whoever changes one may say which version was read, and is refused if it moved on.

A version is a digest of a row and of the rows that belong to it (`children`), made when it is needed: every
way to write counts, and nothing has to be kept up to date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from django.db import models

from core import plain_secrets
from core.fields import Sealed

ModelT = TypeVar("ModelT", bound=models.Model)
NOT_COMPARED = frozenset({"updated_at", "last_login", "password", "sealed_with", "canonical_name"})
"""Fields that change without anybody's edit: times, logging in, a newer hash, what follows from others."""


class Difference(NamedTuple):
    """One field that differs. Secrets are hidden in both values."""

    field: str
    stored: Any
    wanted: Any


class StaleVersion(Exception):
    """What is stored is no longer the version that was read. Nothing was written.

    `version`: of what is stored now. `differences`: where that differs from what was to be written.
    """

    def __init__(self, row: models.Model, version: str, differences: Sequence[Difference]) -> None:
        super().__init__(f"{row._meta.verbose_name} {row} was changed by somebody else meanwhile")
        self.version = version
        self.differences = list(differences)


def version_of(row: models.Model) -> str:
    """Give the version of a row as it was read, with its children as they are stored: 32 hex digits."""
    states = [_state(row), *map(_state, children_of(row))]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:32]


def children_of(row: models.Model) -> Iterator[models.Model]:
    """Give the rows that are edited together with a row: those of the relations in its model's `children`."""
    for relation in getattr(row, "children", ()):
        yield from getattr(row, relation).order_by("pk")


def lock(row: ModelT) -> ModelT | None:
    """Read a row anew and lock it until the transaction ends; None if it is gone."""
    rows = type(row)._base_manager.select_for_update()
    found: ModelT | None = rows.filter(pk=row.pk).first()
    return found


def require_version(row: models.Model, expected: str | None, children: Sequence[models.Model] = ()) -> None:
    """Lock what is stored, and raise `StaleVersion` if it is not the `expected` version.

    None expects nothing, and so does a row that is new. `children`: those that are to be written with it.
    """
    if expected is None or row.pk is None:
        return
    stored = lock(row)
    current = "" if stored is None else version_of(stored)
    if current != expected:
        changed = [one for child in children if child.pk for one in _differences(lock(child), child)]
        raise StaleVersion(row, current, [*_differences(stored, row), *changed])


def _state(row: models.Model) -> list[object]:
    """Give what one row holds. A secret counts as its seal, which differs each time it is given."""
    values = [(field.name, field.value_from_object(row)) for field in _list_compared_fields(row)]
    state: list[object] = [(name, getattr(value, "token", value)) for name, value in values]
    many = (field.name for field in row._meta.many_to_many)
    state += [(name, sorted(getattr(row, name).values_list("pk", flat=True))) for name in many]
    return [row._meta.label, *state]


def _list_compared_fields(row: models.Model) -> list[models.Field[Any, Any]]:
    return [field for field in row._meta.concrete_fields if field.name not in NOT_COMPARED]


def _differences(stored: models.Model | None, wanted: models.Model) -> Iterator[Difference]:
    if stored is None:
        yield Difference(str(wanted), "deleted", "kept")
        return
    for field in _list_compared_fields(wanted):
        theirs, ours = field.value_from_object(stored), field.value_from_object(wanted)
        if getattr(theirs, "token", theirs) != getattr(ours, "token", ours):
            yield Difference(field.name, *(_hide_secret(field, value) for value in (theirs, ours)))


def _hide_secret(field: models.Field[Any, Any], value: Any) -> Any:
    is_secret = isinstance(value, Sealed) or field.name == "secret"
    return plain_secrets.HIDDEN if is_secret else plain_secrets.mask(value)
