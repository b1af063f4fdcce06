"""The services: all of a change or nothing, by the version that was read, and one writer at a time."""

import io
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection

from accounts import services as access
from accounts.models import ClientKey, Team
from backends import services
from backends.models import Backend, Credential, MappingTarget, ModelMapping, ProbeResult, RouteChange
from core import changes, plain_secrets, revisions
from core.versions import StaleVersion, version_of
from tests.support import databases, factories
from tests.support.admin import Operator, page, told
from tests.support.configuration import Files
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("database")

KEY = "Zb81Qx7Lw02PmVt99RkE-1234"


def _backend() -> Backend:
    return factories.backend("http://backend.test/v1", "openai", api_key=KEY)


def _mapping() -> ModelMapping:
    return factories.mapping("gpt-4o", _backend())


def _key() -> ClientKey:
    return factories.key(factories.team())[0]


VERSIONED: list[tuple[Callable[[], Any], Callable[..., None], str, Any, Any]] = [
    (_backend, services.save_backend, "notes", "theirs", "mine"),
    (_mapping, services.save_mapping, "system", "theirs", "mine"),
    (lambda: factories.team(), access.save_team, "allowed_models", ["qwen*"], ["gpt*"]),
    (_key, access.save_client_key, "name", "theirs", "mine"),
]
DELETED: list[tuple[Callable[[], Any], Callable[..., None], str, Any]] = [
    (_backend, services.delete_backend, "notes", "theirs"),
    (_mapping, services.delete_mapping, "system", "theirs"),
    (lambda: factories.team(), access.delete_team, "allowed_models", ["qwen*"]),
    (_key, access.delete_client_key, "name", "theirs"),
]


class TestVersions:
    @pytest.mark.parametrize(("make", "save", "field", "theirs", "mine"), VERSIONED)
    def test_that_moved_on_are_refused_with_both_values(
        self, make: Callable[[], Any], save: Callable[..., None], field: str, theirs: Any, mine: Any
    ) -> None:
        row = make()
        read, other = type(row).objects.get(pk=row.pk), type(row).objects.get(pk=row.pk)
        version = version_of(read)
        setattr(other, field, theirs)
        save(other, expected_version=version)
        setattr(read, field, mine)
        with pytest.raises(StaleVersion) as caught:
            save(read, expected_version=version)
        assert [tuple(one) for one in caught.value.differences] == [(field, theirs, mine)]
        row.refresh_from_db()
        assert getattr(row, field) == theirs
        save(read, expected_version=caught.value.version)
        row.refresh_from_db()
        assert getattr(row, field) == mine

    @pytest.mark.parametrize(("make", "delete", "field", "theirs"), DELETED)
    def test_that_moved_on_are_not_deleted(
        self, make: Callable[[], Any], delete: Callable[..., None], field: str, theirs: Any
    ) -> None:
        row = make()
        MappingTarget.objects.all().delete()
        version = version_of(row)
        type(row).objects.filter(pk=row.pk).update(**{field: theirs})
        with pytest.raises(StaleVersion):
            delete(row, expected_version=version)
        assert type(row).objects.filter(pk=row.pk).exists()
        delete(row, expected_version=version_of(type(row).objects.get(pk=row.pk)))
        assert not type(row).objects.filter(pk=row.pk).exists()

    def test_count_the_children(self) -> None:
        mapping = _mapping()
        version = version_of(mapping)
        MappingTarget.objects.update(weight=7)
        target = mapping.targets.get()
        target.weight = 9
        MappingTarget.objects.update(weight=8)
        with pytest.raises(StaleVersion) as caught:
            services.save_mapping(mapping, targets=[target], expected_version=version)
        assert [tuple(one) for one in caught.value.differences] == [("weight", 8, 9)]

    def test_of_a_row_that_is_gone(self) -> None:
        mapping = _mapping()
        version = version_of(mapping)
        read = ModelMapping.objects.get()
        services.delete_mapping(mapping)
        with pytest.raises(StaleVersion, match="changed by somebody else"):
            services.save_mapping(read, expected_version=version)
        assert not ModelMapping.objects.exists()

    def test_show_no_secret(self) -> None:
        backend = _backend()
        version = version_of(backend)
        services.set_credential(Credential.objects.get(), "another-secret-0123456789")
        backend.profile = {"headers": {"Authorization": "Bearer hidden-0123456789"}}
        key = backend.credentials.get()
        key.secret = KEY
        with pytest.raises(StaleVersion) as caught:
            services.save_backend(backend, keys=[key], expected_version=version)
        told = {one.field: one for one in caught.value.differences}
        assert told["secret"][1:] == (plain_secrets.HIDDEN, plain_secrets.HIDDEN)
        assert "hidden-0123" not in repr(told)
        assert KEY not in repr(told) + str(caught.value)


class TestAChange:
    def test_is_all_or_nothing(self) -> None:
        mapping = _mapping()
        before = revisions.number(revisions.ROUTING)
        mapping.system = "newer"
        bad = MappingTarget(mapping=mapping, backend=Backend.objects.get(), model="x", weight=1001)
        with pytest.raises(ValidationError):
            services.save_mapping(
                mapping, targets=[bad], removed_targets=list(mapping.targets.all()), actor="ana"
            )
        stored = ModelMapping.objects.get()
        assert (stored.system, stored.changed_by, stored.targets.count()) == ("", "", 1)
        assert revisions.number(revisions.ROUTING) == before

    def test_notes_who_did_it_and_is_heard_of(self) -> None:
        mapping = _mapping()
        before = revisions.number(revisions.ROUTING)
        services.save_mapping(mapping, actor="admin ana")
        services.save_mapping(mapping)
        assert ModelMapping.objects.get().changed_by == "admin ana"
        assert revisions.number(revisions.ROUTING) > before

    @pytest.mark.parametrize("field", ["system", "template", "license"])
    def test_refuses_text_that_no_database_keeps(self, field: str) -> None:
        mapping = _mapping()
        setattr(mapping, field, "a\0b")
        with pytest.raises(ValidationError) as caught:
            services.save_mapping(mapping)
        assert list(caught.value.message_dict) == [field]

    def test_of_some_fields_leaves_alone_what_is_wrong_with_others(self) -> None:
        backend = _backend()
        Backend.objects.update(profile={"from_the_future": 1}, notes="theirs")
        backend.refresh_from_db()
        backend.enabled = False
        backend.notes = "not meant"
        services.save_backend(backend, fields=["enabled"])
        backend.refresh_from_db()
        assert (backend.enabled, backend.notes) == (False, "theirs")
        with pytest.raises(ValidationError, match="does not fit a profile"):
            services.save_backend(backend)

    def test_gives_keys_that_swap_their_labels(self) -> None:
        backend = _backend()
        services.set_credential(Credential(backend=backend, label="spare"), KEY)
        main, spare = backend.credentials.order_by("label")
        main.label, spare.label = spare.label, main.label
        services.save_backend(backend, keys=[main, spare])
        assert [key.pk for key in backend.credentials.order_by("label")] == [spare.pk, main.pk]

    def test_mints_and_revokes_a_client_key(self) -> None:
        key = ClientKey(team=factories.team(), name="ci")
        minted = access.mint_client_key(key)
        assert minted.startswith("lg-")
        access.revoke_client_key(key)
        assert ClientKey.objects.get().revoked_at is not None

    def test_of_a_client_is_noted_within_bounds(self) -> None:
        services.record_change("key ci", "create", "m", "from " + "n" * 500)
        assert len(RouteChange.objects.get().detail) == 300

    def test_of_probe_results_replaces_those_of_the_last_probe(self) -> None:
        backend = _backend()
        for verdict in (ProbeResult.YES, ProbeResult.NO):
            row = ProbeResult(backend=backend, model="m", capability="tools", verdict=verdict, evidence="x")
            services.replace_probe_results(backend.pk, "m", [row])
        assert ProbeResult.objects.get().verdict == ProbeResult.NO


def is_somebody_waiting() -> bool:
    """Whether a connection waits for a lock; SQLite does not tell."""
    if not databases.is_postgres():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw before
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


class Beside:
    """Does something in a thread, and keeps what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.began = threading.Event()
        self.result: Any = None
        self._thread = threading.Thread(target=self._run, args=(work,))
        self._thread.start()
        assert self.began.wait(5)

    def _run(self, work: Callable[[], Any]) -> None:
        self.began.set()
        try:
            self.result = work()
        except Exception as error:
            self.result = error
        finally:
            connection.close()

    def end(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.result


class TestOneWriterAtATime:
    def test_apply_compares_with_what_others_stored_meanwhile(self, files: Files) -> None:
        files.apply({"mappings": [{"name": "m", "targets": []}], "teams": [{"name": "t"}]})
        wanted = {"mappings": [{"name": "m", "targets": [], "template": "file"}], "teams": [{"name": "t"}]}
        with services.exclusive():
            ours = Beside(lambda: files.apply(wanted))
            eventually(is_somebody_waiting)
            ModelMapping.objects.update(system="theirs")
        assert ours.end() == [
            '~ mapping m: system "theirs" -> "", template "" -> "file"',
            "1 change",
        ]

    def test_apply_waits_for_a_change_of_keys_too(self, files: Files) -> None:
        files.apply({"teams": [{"name": "t"}]})
        with access.exclusive():
            ours = Beside(lambda: files.apply({"teams": [{"name": "t"}]}))
            eventually(is_somebody_waiting)
            Team.objects.filter(name="t").update(enabled=False)
        assert ours.end() == ["~ team t: enabled false -> true", "1 change"]

    def test_writers_that_take_turns_never_wait_for_each_other(self, files: Files) -> None:
        mapping = _mapping()
        backend = {"name": "openai", "base_url": "http://backend.test/v1", "notes": "newer"}
        path = str(files.write({"backends": [backend], "mappings": [{"name": "gpt-4o", "targets": []}]}))

        def save(number: int) -> None:
            for turn in range(5):
                row = ModelMapping.objects.get(pk=mapping.pk)
                row.system = f"{number} {turn}"
                services.save_mapping(row, targets=list(row.targets.all()))
                call_command("apply", path, "--dry-run", stdout=io.StringIO())

        everybody = [Beside(partial(save, number)) for number in range(3)]
        assert [one.end() for one in everybody] == [None] * 3

    def test_the_first_writer_of_all_makes_what_is_locked(self) -> None:
        revisions.ConfigRevision.objects.all().delete()
        with services.exclusive():
            assert revisions.number(revisions.ROUTING) == 0
        assert revisions.ConfigRevision.objects.filter(name=revisions.ROUTING).exists()


class TestTheAdmin:
    """Where a form took what the service refuses then."""

    REFUSALS = (
        (ValidationError({"name": "This name is taken."}), "Nothing was saved. This name is taken."),
        (
            StaleVersion(ModelMapping(name="gpt-4o"), "", []),
            "Nothing was saved. mapping gpt-4o was changed by somebody else meanwhile.",
        ),
    )

    @pytest.mark.parametrize(("error", "said"), REFUSALS)
    @pytest.mark.parametrize("is_list", [True, False])
    def test_says_why_nothing_was_saved(
        self, error: Exception, said: str, is_list: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operator, row = Operator(), _mapping()
        write = changes.write

        def write_and_refuse(*args: Any) -> None:
            write(*args)
            raise error

        monkeypatch.setattr(changes, "write", write_and_refuse)
        url = page("backends.modelmapping") if is_list else page("backends.modelmapping", "change", row.pk)
        field = "form-0-enabled" if is_list else "enabled"
        assert told(operator.fill(url, {field: None}, follow=True)) == [said]
        assert ModelMapping.objects.get().enabled

    def test_writes_no_other_field_than_the_switch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        operator, row = Operator(), _mapping()
        store = services.save_mapping

        def be_overtaken(mapping: ModelMapping, **kwargs: Any) -> None:
            ModelMapping.objects.filter(pk=row.pk).update(system="theirs")
            store(mapping, **kwargs)

        monkeypatch.setattr(services, "save_mapping", be_overtaken)
        operator.fill(page("backends.modelmapping"), {"form-0-enabled": None})
        row.refresh_from_db()
        assert (row.system, row.enabled, row.changed_by) == ("theirs", False, "admin ana")
