"""How every process learns that the configuration changed: one small row per subject, counted up.

A save bumps the number in its own transaction. Once that is committed, the saving process reloads what
follows the number at once; every other process looks twice a second (`follower`). No broker, no hooks in
the server, the same on SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self

from django.apps import AppConfig
from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

ROUTING = "routing"
ACCESS = "access"
LEARNT = "learnt"
"""What backends taught by refusing it: counted up when an operator clears some of it."""

_listeners: dict[str, list[Callable[[], None]]] = {ROUTING: [], ACCESS: [], LEARNT: []}


class ConfigRevision(models.Model):
    """The number of changes of one subject."""

    name = models.CharField(primary_key=True, max_length=16)
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        app_label = "backends"

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


def bump(name: str) -> None:
    """Say that `name` changed: counted in this transaction, told to this process once it is committed."""
    changed = ConfigRevision.objects.filter(name=name).update(number=models.F("number") + 1)
    if not changed:
        ConfigRevision.objects.create(name=name, number=1)
    tell = _tellers[name]
    pending = transaction.get_connection().run_on_commit
    if not any(call[1] is tell for call in pending):
        # Once a transaction, however many rows it saves. Robust: a save that is committed must not look
        # failed because the reload did; the follower catches up.
        transaction.on_commit(tell, robust=True)


def hold(*names: str) -> None:
    """Wait until nobody else changes these subjects, and keep others from it until this transaction ends.

    Every writer holds what it changes before it reads or locks anything else, and always in the same order,
    so that no two wait for each other. Readers do not wait. (SQLite lets one writer in at a time anyway.)
    """
    for name in _tellers:
        if name in names and not _lock(name):
            ConfigRevision.objects.bulk_create([ConfigRevision(name=name)], ignore_conflicts=True)
            _lock(name)


def _lock(name: str) -> bool:
    return ConfigRevision.objects.select_for_update().filter(name=name).first() is not None


def number(name: str) -> int:
    """Read how often `name` changed."""
    row = ConfigRevision.objects.filter(name=name).values_list("number", flat=True).first()
    return row or 0


def listen(name: str, reload: Callable[[], None]) -> None:
    """Call `reload` in the saving thread after each committed change of `name`."""
    _listeners[name].append(reload)


def _teller(name: str) -> Callable[[], None]:
    def tell() -> None:  # not a `partial`: Django 5.2 asks a callback that failed for its name
        for reload in _listeners[name]:
            reload()

    return tell


_tellers = {name: _teller(name) for name in _listeners}


class FollowedQuerySet(models.QuerySet[Any, Any]):
    """Bulk writes send no signals, so they bump here."""

    def _bump(self) -> None:
        bump(self.model.follows)

    def update(self, **kwargs: Any) -> int:
        """Update and bump."""
        with transaction.atomic():
            rows = super().update(**kwargs)
            self._bump()
        return rows

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Create and bump."""
        with transaction.atomic():
            created = super().bulk_create(objs, *args, **kwargs)
            self._bump()
        return created

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> int:
        """Update and bump."""
        with transaction.atomic():
            rows = super().bulk_update(objs, *args, **kwargs)
            self._bump()
        return rows

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete and bump: rows that Django deletes without loading them send no signal."""
        with transaction.atomic():
            gone = super().delete()
            self._bump()
        return gone


class FollowedModel(models.Model):
    """A model whose every change counts as one of the subject `follows`."""

    follows: ClassVar[str]
    children: ClassVar[tuple[str, ...]] = ()
    """Relations to rows that are edited together with this one, and count in its version."""

    objects: ClassVar[models.Manager[Self]] = FollowedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, and bump in the same transaction: a change that nobody hears of must not stay."""
        with transaction.atomic():
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete, and bump in the same transaction."""
        with transaction.atomic():
            return super().delete(*args, **kwargs)


def _on_change(sender: type[models.Model], **_: Any) -> None:
    if issubclass(sender, FollowedModel):
        bump(sender.follows)


def connect(app: AppConfig) -> None:
    """Connect the one handler. Called when the app is ready."""
    for signal in (post_save, post_delete, m2m_changed):
        signal.connect(_on_change, dispatch_uid=f"{app.name}.revisions")
