"""One name, one mapping: held by the model and the database, for new rows and for earlier releases' rows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from backends import checks, services
from backends.models import ModelMapping
from backends.routing import registry
from core.model_names import canonical
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.admin import Operator, errors, page
from tests.support.configuration import Files
from tests.support.raw_http import Client

pytestmark = pytest.mark.usefixtures("database")

SAME = [
    ("gpt-4o", "GPT-4o:latest"),
    ("gpt-4o", "library/gpt-4o"),
    ("gpt-4o", "https://registry.ollama.ai/library/gpt-4o"),
    ("qwen*", "QWEN*"),
    ("qwen*", "Qwen*:latest"),
]
THEN = "2026-01-01 00:00:00+00"
TAKEN = "Clients cannot tell it from the mapping 'foo': rename or delete one of them first."


def set_aside(name: str = "foo:latest", **fields: Any) -> ModelMapping:
    """Make a mapping that has lost its name to another, as the migration leaves it."""
    made = ModelMapping(name=name, enabled=False, canonical_name=None, **fields)
    made.save()
    assert made.canonical_name is None
    return made


@pytest.fixture
def operator() -> Operator:
    return Operator()


class TestTheModel:
    def test_keeps_the_canonical_name_with_every_way_to_save(self) -> None:
        row = ModelMapping.objects.create(name="Library/Foo:latest")
        ModelMapping.objects.bulk_create([ModelMapping(name="BAR")])
        assert set(ModelMapping.objects.values_list("canonical_name", flat=True)) == {"foo", "bar"}
        row.name = "Other"
        row.save(update_fields=["name"])
        row.refresh_from_db()
        assert row.canonical_name == "other"

    @pytest.mark.parametrize(("first", "second"), SAME)
    def test_refuses_the_second_in_words(self, first: str, second: str) -> None:
        ModelMapping.objects.create(name=first)
        with pytest.raises(ValidationError) as caught:
            services.save_mapping(ModelMapping(name=second))
        assert caught.value.message_dict == {"name": [f"Clients cannot tell it from the mapping {first!r}."]}

    def test_patterns_that_reach_differently_are_two(self) -> None:
        for name in ("*", "library/*"):
            services.save_mapping(ModelMapping(name=name))
        assert ModelMapping.objects.count() == 2


class TestTheDatabase:
    @pytest.mark.parametrize(("first", "second"), SAME[:2])
    def test_refuses_what_goes_past_the_model(self, first: str, second: str) -> None:
        ModelMapping.objects.create(name=first)
        with pytest.raises(IntegrityError), transaction.atomic():
            ModelMapping.objects.create(name=second)
        with pytest.raises(IntegrityError), transaction.atomic():
            ModelMapping.objects.bulk_create([ModelMapping(name=second)])

    def test_refuses_an_enabled_mapping_without_a_name(self) -> None:
        row = set_aside()
        with pytest.raises(IntegrityError), transaction.atomic():
            ModelMapping.objects.filter(pk=row.pk).update(enabled=True)


class TestAMappingThatLostItsName:
    @pytest.fixture(autouse=True)
    def _pair(self, database: None) -> None:
        factories.mapping("foo", factories.backend("http://h/v1", "there"), model="served")
        set_aside()

    def test_can_be_edited_but_not_switched_on(self, operator: Operator) -> None:
        row = ModelMapping.objects.get(name="foo:latest")
        url = page("backends.modelmapping", "change", row.pk)
        assert operator.fill(url, {"system": "kept"}).status_code == 302
        row.refresh_from_db()
        assert (row.system, row.canonical_name) == ("kept", None)
        assert errors(operator.fill(url, {"enabled": "on"})) == {"enabled": [TAKEN]}

    def test_is_told_in_the_list_and_not_switched_on_there(self, operator: Operator) -> None:
        url = page("backends.modelmapping")
        assert "cannot tell it from another mapping, which has this name" in operator.get(url)
        answer = operator.fill(url, {"form-1-enabled": "on"})
        assert answer.status_code == 200
        assert TAKEN.replace("'", "&#x27;") in answer.content.decode()
        assert not ModelMapping.objects.get(name="foo:latest").enabled

    def test_gets_a_name_by_being_renamed(self, operator: Operator) -> None:
        row = ModelMapping.objects.get(name="foo:latest")
        url = page("backends.modelmapping", "change", row.pk)
        assert "name" in errors(operator.fill(url, {"name": "library/foo"}))
        assert operator.fill(url, {"name": "bar", "enabled": "on"}).status_code == 302
        row.refresh_from_db()
        assert (row.canonical_name, row.enabled) == ("bar", True)

    def test_gets_its_own_back_when_that_is_free(self, operator: Operator) -> None:
        services.delete_mapping(ModelMapping.objects.get(name="foo"))
        operator.fill(page("backends.modelmapping"), {"form-0-enabled": "on"})
        row = ModelMapping.objects.get()
        assert (row.canonical_name, row.enabled) == ("foo", True)

    def test_is_told_by_the_system_check(self) -> None:
        (told,) = checks.check_names(databases=["default"])
        assert told.id == "backends.W003"
        assert told.msg == (
            "mapping foo:latest is off: clients cannot tell it from the mapping foo, which has its name"
        )

    def test_is_not_what_a_file_means_by_the_other_spelling(self, files: Files) -> None:
        entry = {"name": "FOO", "targets": [{"backend": "there", "model": "served"}]}
        assert files.apply({"mappings": [entry]}) == ['~ mapping FOO: name "foo" -> "FOO"', "1 change"]

    def test_stands_in_no_files_way(self, files: Files) -> None:
        text = {"mappings": [{"name": "foo:latest", "targets": []}]}
        assert files.refused(text) == [f"mappings[0].enabled: {TAKEN}"]
        assert files.apply(text, "--prune") == [
            "- mapping foo",
            "~ mapping foo:latest: enabled false -> true",
            "2 changes",
        ]
        assert ModelMapping.objects.get().canonical_name == "foo"

    def test_is_not_what_clients_change(self, client: Client) -> None:
        body = {"model": "Foo:latest", "from": "foo", "system": "newer", "stream": False}
        assert client.post("/api/create", body).status == 200
        assert dict(ModelMapping.objects.values_list("name", "system")) == {"foo": "newer", "foo:latest": ""}

    def test_is_what_clients_make_anew_when_its_name_is_free(self, client: Client, fake: FakeBackend) -> None:
        services.delete_mapping(ModelMapping.objects.get(name="foo"))
        factories.mapping("m", factories.backend(fake))
        body = {"model": "foo:latest", "from": "m", "stream": False}
        assert client.post("/api/create", body).status == 200
        row = ModelMapping.objects.get(name="foo:latest")
        assert (row.canonical_name, row.enabled, row.targets.get().model) == ("foo", True, "m")


def test_a_name_that_was_changed_past_us_is_told() -> None:
    factories.mapping("foo")
    assert checks.check_names(databases=["default"]) == []
    ModelMapping.objects.update(name="bar")
    (told,) = checks.check_names(databases=["default"])
    assert told.msg.startswith("mapping bar: its name was changed past this program")


@pytest.mark.parametrize("model", ["my model.gguf", "x" * 256])
def test_a_copied_target_is_checked_as_an_operators(client: Client, fake: FakeBackend, model: str) -> None:
    fake.models = [model]
    factories.mapping("*", factories.backend(fake))
    answer = client.post("/api/copy", {"source": model, "destination": "mine"})
    assert (answer.status == 200) is (len(model) < 256), answer.text
    assert ModelMapping.objects.filter(name="mine").exists() is (answer.status == 200)


class TestTheMigration:
    """Rows of the release before: names unique in lower case only."""

    @pytest.fixture
    def migrate(self, database: None) -> Iterator[Callable[[], None]]:
        def to(*name: str) -> None:
            call_command("migrate", "backends", *name, verbosity=0, interactive=False)

        to("0005_keys_for_one_server")
        yield to
        ModelMapping.objects.all().delete() if _has_column() else _empty()
        to()

    def test_keeps_what_is_served_and_switches_the_others_off(self, migrate: Callable[[], None]) -> None:
        rows = [
            ("zeta:latest", True),
            ("zeta", False),
            ("foo:latest", True),
            ("library/foo", True),
            ("foo", True),
            ("off", False),
            ("off:latest", False),
            ("qwen*:latest", True),
            ("qwen*", True),
            ("Single", True),
        ]
        for name, enabled in rows:
            _insert(name, enabled)
        served = {canonical(name): _served_before(name) for name, enabled in rows if enabled}
        migrate()
        stored = {row.name: row for row in ModelMapping.objects.all()}
        assert {key: name for name, row in stored.items() if row.enabled for key in [row.canonical_name]} == (
            served
        )
        assert served == {"zeta": "zeta:latest", "foo": "library/foo", "qwen*": "qwen*", "single": "Single"}
        context = {name for name, row in stored.items() if row.canonical_name is None}
        assert context == {"zeta", "foo:latest", "foo", "off", "qwen*:latest"}
        assert not any(stored[name].enabled for name in context)
        assert len(stored) == len(rows)
        registry.routing.reload()
        assert {rule.name for rule in registry.current().exact.values()} == {
            "zeta:latest",
            "library/foo",
            "Single",
        }
        assert len(checks.check_names(databases=["default"])) == 5

    def test_moves_no_date_that_clients_are_told(self, migrate: Callable[[], None]) -> None:
        _insert("foo", True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT updated_at FROM backends_modelmapping")
            before = str(cursor.fetchone()[0])
            migrate()
            cursor.execute("SELECT updated_at FROM backends_modelmapping")
            assert str(cursor.fetchone()[0]) == before


def _has_column() -> bool:
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, "backends_modelmapping")
    return "canonical_name" in {column.name for column in columns}


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM backends_modelmapping")


def _insert(name: str, enabled: bool) -> None:
    """Put a row in as the release before did."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backends_modelmapping (name, enabled, system, options, forced_options, capabilities,"
            " messages, template, license, changed_by, created_at, updated_at)"
            " VALUES (%s, %s, '', '{}', '{}', '[]', '[]', '', '', '', %s, %s)",
            [name, enabled, THEN, THEN],
        )


def _served_before(name: str) -> str:
    """Give the mapping that 0.1.0 found: the last enabled one in the table's order, of patterns the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM backends_modelmapping WHERE enabled ORDER BY name")
        names = [str(row[0]) for row in cursor.fetchall()]
    same = [one for one in names if canonical(one) == canonical(name)]
    return same[0 if "*" in name else -1]
