"""How services change configuration: one writer of a subject at a time, validated, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models, transaction

from core import revisions
from core.fields import Sealed

_held: ContextVar[frozenset[str]] = ContextVar(
    "subjects that this thread's transaction holds", default=frozenset()
)


@contextmanager
def exclusive(*subjects: str) -> Iterator[None]:
    """Run a transaction in which nobody else changes these subjects: what is read in it stays true.

    May be nested; the outermost one has to name every subject that is changed inside.
    """
    held = _held.get()
    with transaction.atomic():
        if not held.issuperset(subjects):
            revisions.hold(*subjects)
        token = _held.set(held.union(subjects))
        try:
            yield
        finally:
            _held.reset(token)


def validate(row: models.Model, fields: Collection[str] | None = None) -> None:
    """Check a row as it is to be stored. Raises `ValidationError`.

    `fields`: the only ones that are to be written. What is wrong with others, which an earlier release may
    have stored, is left alone then.
    """
    if fields is None:
        row.full_clean(exclude=_list_secret_fields(row))
        return
    others = {field.name for field in row._meta.fields if field.name not in fields}
    try:
        row.full_clean(exclude=others)
    except ValidationError as error:
        found = error.update_error_dict({}).items()
        ours = {name: errors for name, errors in found if name in fields or name == NON_FIELD_ERRORS}
        if ours:
            raise ValidationError(ours) from None


def write(row: models.Model, fields: Collection[str] | None = None) -> None:
    """Validate and save a row, or some of its fields, with the time of the change."""
    validate(row, fields)
    if fields is None:
        row.save()
    else:
        timed = [field.name for field in row._meta.fields if getattr(field, "auto_now", False)]
        row.save(update_fields={*fields, *timed})


def _list_secret_fields(row: models.Model) -> set[str]:
    """A sealed secret is no text, and text is all that its field could check."""
    return {field.name for field in row._meta.fields if isinstance(getattr(row, field.attname), Sealed)}
