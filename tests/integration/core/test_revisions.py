"""Every way to write a row that is followed moves its revision: what moves none would be seen by nobody."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from accounts.models import ClientKey, Team
from backends.models import Backend, Credential, MappingTarget, ModelMapping, ProbeResult
from core import revisions
from core.revisions import FollowedModel
from tests.support import factories

Write = Callable[[type[FollowedModel]], object]

# For each followed model: a new row, not saved yet, and a field of it to change.
MAKERS: dict[type[FollowedModel], tuple[Callable[[str], FollowedModel], str]] = {
    Backend: (lambda name: Backend(name=name, base_url="http://127.0.0.1:9/v1"), "notes"),
    Credential: (lambda name: Credential(backend=_backend(), label=name, secret="sk-1"), "label"),
    ModelMapping: (lambda name: ModelMapping(name=name), "system"),
    MappingTarget: (lambda name: MappingTarget(mapping=_mapping(), backend=_backend(), model=name), "model"),
    ProbeResult: (
        lambda name: ProbeResult(backend=_backend(), model="m", capability=name, verdict="no", evidence="x"),
        "evidence",
    ),
    Team: (lambda name: Team(name=name), "name"),
    ClientKey: (
        lambda name: ClientKey(team=_team(), name=name, public_id=name[:16], digest=name),
        "name",
    ),
}


def _backend() -> Backend:
    return Backend.objects.get_or_create(name="parent", base_url="http://127.0.0.1:9/v1")[0]


def _mapping() -> ModelMapping:
    return ModelMapping.objects.get_or_create(name="parent")[0]


def _team() -> Team:
    return Team.objects.get_or_create(name="parent")[0]


def _new(model: type[FollowedModel], name: str = "new") -> FollowedModel:
    return MAKERS[model][0](name)


def _existing(model: type[FollowedModel], name: str = "existing") -> FollowedModel:
    row = _new(model, name)
    row.save()
    return row


def _changed(model: type[FollowedModel]) -> tuple[FollowedModel, str]:
    row, field = _existing(model), MAKERS[model][1]
    setattr(row, field, "changed")
    return row, field


def _found(row: FollowedModel) -> Any:
    return type(row).objects.filter(pk=row.pk)


# Each makes ready what it needs, and gives the write itself.
WAYS: dict[str, Callable[[type[FollowedModel]], Callable[[], object]]] = {
    "save, new": lambda model: _new(model).save,
    "save, changed": lambda model: _changed(model)[0].save,
    "save, some fields": lambda model: _save_some(*_changed(model)),
    "delete": lambda model: _existing(model).delete,
    "queryset.create": lambda model: _create(_new(model)),
    "queryset.update": lambda model: _update(_existing(model)),
    "queryset.delete": lambda model: _found(_existing(model)).delete,
    "bulk_create": lambda model: _bulk_create(_new(model)),
    "bulk_update": lambda model: _bulk_update(*_changed(model)),
    "update_or_create": lambda model: _update_or_create(_existing(model)),
}


def _save_some(row: FollowedModel, field: str) -> Callable[[], object]:
    return lambda: row.save(update_fields=[field])


def _create(row: FollowedModel) -> Callable[[], object]:
    values = {
        field.name: getattr(row, field.name) for field in row._meta.concrete_fields if field.name != "id"
    }
    return lambda: type(row).objects.create(**values)


def _update(row: FollowedModel) -> Callable[[], object]:
    return lambda: _found(row).update(**{MAKERS[type(row)][1]: "changed"})


def _bulk_create(row: FollowedModel) -> Callable[[], object]:
    return lambda: type(row).objects.bulk_create([row])


def _bulk_update(row: FollowedModel, field: str) -> Callable[[], object]:
    return lambda: type(row).objects.bulk_update([row], [field])


def _update_or_create(row: FollowedModel) -> Callable[[], object]:
    defaults = {MAKERS[type(row)][1]: "changed"}
    return lambda: type(row).objects.update_or_create(pk=row.pk, defaults=defaults)


def test_no_followed_model_is_forgotten_here() -> None:
    assert {model for model in apps.get_models() if issubclass(model, FollowedModel)} == set(MAKERS)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
@pytest.mark.django_db
def test_every_write_moves_the_revision(
    model: type[FollowedModel], way: Callable[[type[FollowedModel]], Callable[[], object]]
) -> None:
    write = way(model)
    before = revisions.number(model.follows)
    write()
    assert revisions.number(model.follows) > before


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
@pytest.mark.django_db
def test_what_goes_with_its_parent_moves_the_revision(model: type[FollowedModel]) -> None:
    """Deleted in a cascade, without a look at the row."""
    row = _existing(model)
    parents = {Credential: _backend, MappingTarget: _mapping}
    before = revisions.number(model.follows)
    if model in parents:
        parents[model]().delete()
    else:
        row.delete()
    assert not _found(row).exists()
    assert revisions.number(model.follows) > before


def test_what_is_rolled_back_is_told_to_nobody(database: None, told: list[str]) -> None:
    before = revisions.number(revisions.ROUTING)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        factories.backend("http://127.0.0.1:9/v1")
        raise ZeroDivisionError
    assert (revisions.number(revisions.ROUTING), told) == (before, [])


def test_what_is_committed_is_told_after_the_commit(database: None, told: list[str]) -> None:
    with transaction.atomic():
        factories.backend("http://127.0.0.1:9/v1")
        assert told == []
    assert told[0] == revisions.ROUTING


def test_a_transaction_is_told_once_however_many_rows_it_saves(database: None, told: list[str]) -> None:
    with transaction.atomic():
        for place in range(5):
            factories.backend("http://127.0.0.1:9/v1", name=f"backend-{place}")
    assert told == [revisions.ROUTING]


def test_a_listener_that_fails_does_not_fail_the_save(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the reload failed")

    monkeypatch.setitem(revisions._listeners, revisions.ROUTING, [fail])
    assert factories.backend("http://127.0.0.1:9/v1").pk


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process was told."""
    heard: list[str] = []
    for name in (revisions.ROUTING, revisions.ACCESS):
        monkeypatch.setitem(revisions._listeners, name, [lambda name=name: heard.append(name)])
    return heard
