"""Former names of a profile's fields: in the database, in a file, in the admin. None of them is lost."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from structlog.testing import capture_logs

from backends.models import Backend
from backends.routing import registry
from backends.wire.dialect import for_model, override_profile
from backends.wire.dialects import DIALECTS
from backends.wire.profile_names import RENAMED
from core import revisions
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.admin import Operator, errors, page, told
from tests.support.configuration import Files, everything
from tests.support.old_profile import NEW, OLD
from tests.support.raw_http import Client

pytestmark = pytest.mark.usefixtures("database")

MIGRATION = ("backends", "0007_profile_field_names")
BOTH = {"drops": ["seed"], "drop_params": ["stop"]}
BACKEND: dict[str, Any] = {"name": "old", "base_url": "http://h.test/v1"}
TOP = [name for name in RENAMED if "." not in name]


def stored(profile: Any) -> Backend:
    """Store a profile as an earlier release did: no model of ours looks at it."""
    row = factories.backend("http://h.test/v1", "old")
    Backend.objects.filter(pk=row.pk).update(profile=profile)
    return row


def exported() -> str:
    out = io.StringIO()
    call_command("export", stdout=out)
    return out.getvalue()


# In the database


@contextmanager
def database_before_the_migration() -> Iterator[Any]:
    """Take the migration back while the block runs. Gives the model of a backend as it was then."""
    before = MigrationExecutor(connection).loader.graph.node_map[MIGRATION].parents
    state = MigrationExecutor(connection).migrate([parent.key for parent in before])
    try:
        yield state.apps.get_model("backends", "Backend")
    finally:
        migrate()


def migrate() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_the_migration_renames_what_is_stored() -> None:
    with database_before_the_migration() as backends:
        for name, profile in (
            ("old", OLD),
            ("new", {"max_tokens": "limit"}),
            ("both", BOTH),
            ("list", [OLD]),
        ):
            backends.objects.create(name=name, base_url="http://h.test/v1", profile=profile)
        times = dict(backends.objects.values_list("name", "updated_at"))
        number = revisions.number(revisions.ROUTING)
    assert dict(Backend.objects.values_list("name", "profile")) == {
        "old": NEW,
        "new": {"max_tokens": "limit"},
        "both": BOTH,
        "list": [OLD],
    }
    assert dict(Backend.objects.values_list("name", "updated_at")) == times
    assert revisions.number(revisions.ROUTING) == number + 1
    with database_before_the_migration() as backends:
        assert backends.objects.get(name="old").profile == OLD
    assert Backend.objects.get(name="old").profile == NEW


def test_the_migration_counts_where_nothing_was_counted_yet() -> None:
    with database_before_the_migration() as backends:
        backends.objects.create(name="old", base_url="http://h.test/v1", profile=OLD)
        revisions.ConfigRevision.objects.all().delete()
    assert revisions.number(revisions.ROUTING) == 1


def test_the_migration_tells_nobody_when_there_is_nothing_to_rename() -> None:
    with database_before_the_migration() as backends:
        backends.objects.create(name="new", base_url="http://h.test/v1", profile=NEW)
        revisions.ConfigRevision.objects.all().delete()
        backends.objects.update(profile={})
    assert revisions.number(revisions.ROUTING) == 0


@pytest.mark.parametrize("profile", [OLD, NEW], ids=["old", "new"])
def test_a_stored_profile_is_in_force_under_either_names(profile: dict[str, Any]) -> None:
    stored(profile)
    with capture_logs() as logs:
        (upstream,) = registry.load()[1].upstreams.values()
    assert logs == []
    assert upstream.dialect == override_profile(DIALECTS["generic"], NEW)
    assert for_model(upstream.dialect, "drops").drop_params == ["logprobs"]
    assert for_model(upstream.dialect, "other").drop_params == ["seed"]


def test_a_request_is_made_by_a_profile_that_was_not_migrated(client: Client, fake: FakeBackend) -> None:
    row = factories.backend(fake)
    factories.mapping("m", row)
    Backend.objects.update(profile={"drops": ["seed"], "per_model": {"^m": {"stop_limit": 1}}})
    assert client.chat(options={"seed": 1, "stop": ["a", "b"]}).status == 200
    sent = fake.requests[-1].json
    assert ("seed" in sent, sent["stop"]) == (False, ["a"])


# In a file


@pytest.mark.parametrize("old", TOP)
def test_a_file_with_an_old_name_is_told_its_new_one(files: Files, old: str) -> None:
    lines = files.apply({"version": 1, "backends": [BACKEND | {"profile": {old: OLD[old]}}]})
    assert Backend.objects.get().profile == {RENAMED[old]: NEW[RENAMED[old]]}
    sentence = f"! backends[0].profile.{old} is now called {RENAMED[old]}: write the new name into the file."
    assert lines[0] == "+ backend old"
    assert sentence in lines


def test_a_file_with_old_names_changes_nothing_that_is_renamed(files: Files) -> None:
    factories.backend("http://h.test/v1", "old", profile=NEW)
    number = revisions.number(revisions.ROUTING)
    lines = files.apply({"version": 1, "backends": [BACKEND | {"profile": OLD}]})
    assert lines[-1] == "no changes", lines
    assert "! backends[0].profile.per_model.^drops.drops is now called drop_params: " in "\n".join(lines)
    assert revisions.number(revisions.ROUTING) == number
    assert files.apply({"version": 1, "backends": [BACKEND | {"profile": NEW}]}) == ["no changes"]


def test_a_file_brings_what_was_not_migrated_to_the_new_names(files: Files) -> None:
    stored(OLD)
    files.apply({"version": 1, "backends": [BACKEND | {"profile": NEW}]})
    assert Backend.objects.get().profile == NEW


@pytest.mark.parametrize(
    "profile", [BOTH, {"per_model": {"^q": BOTH}}, {"embed": {"batch": 1, "batch_size": 2}}]
)
def test_a_file_with_both_names_of_a_field_is_refused(files: Files, profile: dict[str, Any]) -> None:
    (problem,) = files.refused({"version": 1, "backends": [BACKEND | {"profile": profile}]})
    assert problem.startswith("backends[0].profile: This does not fit a profile: ")
    assert "are one field, once by its old name: keep only one" in problem


def test_an_export_has_the_new_names(files: Files) -> None:
    stored(OLD)
    text = exported()
    assert yaml.safe_load(text)["backends"][0]["profile"] == NEW
    Backend.objects.update(profile=NEW)
    assert exported() == text
    before = everything()
    assert files.apply(text) == ["no changes"]
    assert everything() == before


def test_an_export_keeps_what_nobody_could_choose_between() -> None:
    stored(BOTH)
    assert yaml.safe_load(exported())["backends"][0]["profile"] == BOTH


# In the admin


def test_the_admin_renames_what_is_pasted_and_says_so() -> None:
    row = factories.backend("http://h.test/v1", "old")
    profile = {"fill": {"answer": "infill"}, "per_model": {"^q": {"drops": ["seed"]}}}
    answer = Operator().fill(
        page("backends.backend", "change", row.pk), {"profile": json.dumps(profile)}, follow=True
    )
    row.refresh_from_db()
    assert row.profile == {
        "infill": {"response_shape": "infill"},
        "per_model": {"^q": {"drop_params": ["seed"]}},
    }
    (sentences,) = (said for said in told(answer) if said.startswith("Renamed in the profile: "))
    assert "fill is now called infill." in sentences
    assert "per_model.^q.drops is now called drop_params." in sentences


def test_the_admin_says_nothing_of_new_names() -> None:
    row = factories.backend("http://h.test/v1", "old")
    answer = Operator().fill(
        page("backends.backend", "change", row.pk), {"profile": json.dumps(NEW)}, follow=True
    )
    row.refresh_from_db()
    assert row.profile == NEW
    assert not [said for said in told(answer) if "Renamed" in said]


def test_the_admin_takes_every_old_name() -> None:
    row = factories.backend("http://h.test/v1", "old")
    Operator().fill(page("backends.backend", "change", row.pk), {"profile": json.dumps(OLD)})
    row.refresh_from_db()
    assert row.profile == NEW


def test_the_admin_refuses_both_names_of_a_field() -> None:
    row = factories.backend("http://h.test/v1", "old")
    answer = Operator().fill(page("backends.backend", "change", row.pk), {"profile": json.dumps(BOTH)})
    (reason,) = errors(answer)["profile"]
    assert "drops and drop_params are one field" in reason
    row.refresh_from_db()
    assert row.profile == {}


def test_the_lists_switches_keep_a_profile_that_was_not_migrated_in_force() -> None:
    row = stored(OLD)
    Operator().fill(page("backends.backend"), {"form-0-enabled": None})
    row.refresh_from_db()
    assert not row.enabled
    assert override_profile(DIALECTS["generic"], row.profile) == override_profile(DIALECTS["generic"], NEW)
