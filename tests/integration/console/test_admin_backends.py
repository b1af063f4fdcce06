"""Backends and their keys in the admin: keys are written and never shown, and all is in force at once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from backends.models import Backend, Credential
from backends.routing import registry
from tests.conftest import Change
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.admin import Operator, errors, page, told

pytestmark = pytest.mark.usefixtures("database")

KEY = "Zb81Qx7Lw02PmVt99RkE-1234"
OTHER_KEY = "Yc92Ry8Mx13QnWu00SlF-5678"


@pytest.fixture
def operator() -> Operator:
    return Operator()


def stored(**fields: Any) -> Backend:
    return factories.backend("http://backend.test/v1", "openai", api_key=KEY, **fields)


def change_page(row: Backend) -> str:
    return page("backends.backend", "change", row.pk)


def secrets_in_force(name: str = "openai") -> tuple[str, ...]:
    return next(one.secrets for one in registry.current().upstreams.values() if one.name == name)


class TestAddABackend:
    def add(self, operator: Operator, button: str = "_save", **changes: str) -> Any:
        fields = {"name": "openai", "base_url": "http://backend.test/v1/", "credentials-0-api_key": KEY}
        return operator.fill(page("backends.backend", "add"), fields | changes, button)

    def test_is_in_force_at_once(self, operator: Operator) -> None:
        self.add(operator, dialect="vllm")
        (upstream,) = registry.current().upstreams.values()
        assert (upstream.name, upstream.base_url) == ("openai", "http://backend.test/v1")
        assert (upstream.dialect.name, upstream.secrets) == ("vllm", (KEY,))

    def test_notes_who_added_the_key_and_how_it_ends(self, operator: Operator) -> None:
        self.add(operator)
        credential = Credential.objects.get()
        assert (credential.created_by, credential.hint, credential.label) == (operator.user, "1234", "main")

    @pytest.mark.parametrize(
        ("base_url", "dialect", "is_told"),
        [
            ("https://api.moonshot.cn/v1", "generic", True),
            ("https://api.moonshot.cn/v1", "moonshot", False),
            ("http://backend.test/v1", "generic", False),
        ],
    )
    def test_of_a_service_with_a_dialect_of_its_own_is_told_so(
        self, operator: Operator, base_url: str, dialect: str, is_told: bool
    ) -> None:
        fields = {"name": "kimi", "base_url": base_url, "dialect": dialect}
        said = told(operator.fill(page("backends.backend", "add"), fields, follow=True))
        assert any("its dialect moonshot" in sentence for sentence in said) == is_told
        assert Backend.objects.get().dialect == dialect

    def test_needs_no_key(self, operator: Operator) -> None:
        self.add(operator, **{"credentials-0-api_key": ""})
        assert secrets_in_force() == ()

    @pytest.mark.parametrize(
        "base_url", ["ftp://backend.test", "http://ana:pw@backend.test/v1", "http://169.254.169.254/latest"]
    )
    def test_refuses_a_bad_url(self, operator: Operator, base_url: str) -> None:
        assert "base_url" in errors(self.add(operator, base_url=base_url))

    @pytest.mark.parametrize(
        "profile",
        [
            "[1]",
            '"text"',
            '{"per_model": [1]}',
            '{"per_model": {"q": {"nobody_knows": 1}}}',
            '{"idle_timeout_s": 1e999}',
            '{"idle_timeout_s": NaN}',
            '{"body": {"user": "a\\u0000b"}}',
        ],
    )
    def test_refuses_a_profile_that_fits_nothing_or_that_no_database_keeps(
        self, operator: Operator, profile: str
    ) -> None:
        assert "profile" in errors(self.add(operator, profile=profile))
        assert not Backend.objects.exists()

    def test_takes_any_letters_in_a_profile(self, operator: Operator) -> None:
        self.add(operator, profile='{"body": {"user": "Zoë \\ud83d\\ude00"}}')
        assert Backend.objects.get().profile == {"body": {"user": "Zoë \U0001f600"}}

    @pytest.mark.parametrize("key", ["two words", "line\nend", "schlüssel"])
    def test_refuses_a_key_that_no_header_carries_and_does_not_repeat_it(
        self, operator: Operator, key: str
    ) -> None:
        answer = self.add(operator, **{"credentials-0-api_key": key})
        assert "credentials-0-api_key" in errors(answer)
        assert key not in answer.content.decode()

    def test_says_when_there_is_nothing_to_seal_with(self, operator: Operator, change: Change) -> None:
        change(credential_keys=())
        answer = self.add(operator)
        assert "CREDENTIAL_KEYS is not set" in errors(answer)["credentials-0-api_key"][0]
        assert KEY not in answer.content.decode()


class TestTheStoredKey:
    def test_is_on_no_page_and_in_no_history(self, operator: Operator) -> None:
        TestAddABackend().add(operator)
        shown = operator.get(page("backends.backend"))  # with the message that tells of the save
        row = Backend.objects.get()
        operator.fill(change_page(row), {"credentials-0-api_key": OTHER_KEY})
        for name in ("change", "history", "delete"):
            shown += operator.get(page("backends.backend", name, row.pk))
        log = "".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all())
        assert "credential" in log
        assert all(key not in shown + log for key in (KEY, OTHER_KEY))
        assert Credential.objects.get().secret.token not in shown + log

    def test_is_hinted_at(self, operator: Operator) -> None:
        row = stored()
        assert 'placeholder="•••• 1234, leave blank to keep"' in operator.get(change_page(row))
        assert "main (…1234)" in operator.get(page("backends.backend"))

    def test_stays_when_the_field_is_left_blank(self, operator: Operator) -> None:
        row = stored()
        before = Credential.objects.get().secret.token
        operator.fill(change_page(row), {"notes": "x", "credentials-0-label": "renamed"})
        credential = Credential.objects.get()
        assert (credential.label, credential.secret.token) == ("renamed", before)
        assert secrets_in_force() == (KEY,)

    def test_is_sealed_anew_when_another_is_typed(self, operator: Operator) -> None:
        row = stored()
        operator.fill(change_page(row), {"credentials-0-api_key": f" {OTHER_KEY} "})
        credential = Credential.objects.get()
        assert (credential.reveal(), credential.hint) == (OTHER_KEY, "5678")
        assert secrets_in_force() == (OTHER_KEY,)

    def test_is_not_sent_back_with_a_form_that_was_refused(self, operator: Operator) -> None:
        row = stored()
        answer = operator.fill(change_page(row), {"name": "not a slug", "credentials-0-api_key": OTHER_KEY})
        assert "name" in errors(answer)
        assert OTHER_KEY not in answer.content.decode()


SECOND = {
    "credentials-TOTAL_FORMS": "2",
    "credentials-1-label": "second",
    "credentials-1-api_key": OTHER_KEY,
}


class TestSeveralKeys:
    def test_take_turns(self, operator: Operator) -> None:
        operator.fill(change_page(stored()), SECOND)
        assert secrets_in_force() == (KEY, OTHER_KEY)

    def test_a_new_row_wants_a_key(self, operator: Operator) -> None:
        answer = operator.fill(change_page(stored()), SECOND | {"credentials-1-api_key": ""})
        assert errors(answer) == {"credentials-1-api_key": ["Paste the key, or remove this row."]}

    def test_live_ones_want_different_labels(self, operator: Operator) -> None:
        answer = operator.fill(change_page(stored()), SECOND | {"credentials-1-label": "main"})
        assert errors(answer) == {
            "credentials-1-label": ["Another live key has the label 'main'."],
            "credentials-1-api_key": [
                "Paste the key again: it was not saved, and a key is never shown again."
            ],
        }

    def test_a_retired_one_is_kept_and_used_no_more(self, operator: Operator) -> None:
        operator.fill(change_page(stored()), {"credentials-0-retired": "on"})
        assert Credential.objects.get().retired_at is not None
        assert secrets_in_force() == ()

    def test_a_retired_one_can_come_back(self, operator: Operator) -> None:
        row = stored()
        Credential.objects.update(retired_at=timezone.now())
        operator.fill(change_page(row), {"credentials-0-retired": None})
        assert Credential.objects.get().retired_at is None
        assert secrets_in_force() == (KEY,)

    def test_a_viewer_sees_which_are_retired(self) -> None:
        row = stored()
        Credential.objects.update(retired_at=datetime(2026, 1, 31, 12, tzinfo=UTC))
        shown = Operator("backends.view_backend", "backends.view_credential").get(change_page(row))
        assert "main (…1234)" in shown
        assert "Jan. 31, 2026, noon" in shown
        assert 'type="password"' not in shown

    def test_a_label_passes_from_a_retired_to_a_new_one_in_one_save(self, operator: Operator) -> None:
        changes = SECOND | {"credentials-0-retired": "on", "credentials-1-label": "main"}
        operator.fill(change_page(stored()), changes)
        assert secrets_in_force() == (OTHER_KEY,)

    def test_two_live_ones_swap_their_labels(self, operator: Operator) -> None:
        row = stored()
        Credential.objects.create(backend=row, label="second", secret=OTHER_KEY)
        before = {key.label: key.pk for key in row.credentials.all()}
        operator.fill(change_page(row), {"credentials-0-label": "second", "credentials-1-label": "main"})
        after = {key.label: key.pk for key in row.credentials.all()}
        assert after == {"main": before["second"], "second": before["main"]}

    def test_the_retired_one_may_stand_behind_the_one_that_takes_its_label(self, operator: Operator) -> None:
        row = stored()
        Credential.objects.create(backend=row, label="old", secret=OTHER_KEY)
        # In this order "main" would meet the label that "old" has not given up yet.
        operator.fill(change_page(row), {"credentials-0-label": "old", "credentials-1-retired": "on"})
        assert secrets_in_force() == (KEY,)

    def test_one_can_be_deleted(self, operator: Operator) -> None:
        operator.fill(change_page(stored()), {"credentials-0-DELETE": "on"})
        assert not Credential.objects.exists()
        assert secrets_in_force() == ()


class TestListOfBackends:
    def test_tells_what_matters(self, operator: Operator) -> None:
        row = stored(dialect="vllm")
        factories.mapping("gpt-4o", row)
        shown = operator.get(page("backends.backend"))
        assert all(part in shown for part in ("http://backend.test/v1", "vLLM", "main (…1234)"))
        assert f'href="{page("backends.modelmapping")}?targets__backend__id__exact={row.pk}">1</a>' in shown

    def test_switches_a_backend_off(self, operator: Operator) -> None:
        factories.mapping("gpt-4o", stored())
        operator.fill(page("backends.backend"), {"form-0-enabled": None})
        assert not registry.current().upstreams

    def test_shows_a_dialect_of_a_newer_release(self, operator: Operator) -> None:
        stored(dialect="from-the-future")
        assert "from-the-future (unknown here)" in operator.get(page("backends.backend"))

    def test_a_backend_with_targets_is_not_deleted_but_explained(self, operator: Operator) -> None:
        row = stored()
        factories.mapping("gpt-4o", row)
        assert "protected related objects" in operator.get(page("backends.backend", "delete", row.pk))
        operator.press(page("backends.backend", "delete", row.pk), post="yes")
        assert Backend.objects.exists()


class TestTest:
    def test_tells_what_the_backend_lists_with_each_key(self, operator: Operator, fake: FakeBackend) -> None:
        row = factories.backend(fake, "local", api_key=KEY)
        Credential.objects.create(backend=row, label="second", secret=OTHER_KEY)
        answer = operator.press(page("backends.backend", "test", row.pk), follow=True)
        first, second = told(answer)
        assert first.startswith("local with key main (…1234): reached (status 200), ")
        assert second.startswith("local with key second (…5678): reached (status 200), ")
        assert answer.redirect_chain == [(page("backends.backend"), 302)]
        assert KEY not in answer.content.decode()
        assert [request.headers["authorization"] for request in fake.requests] == [
            f"Bearer {KEY}",
            f"Bearer {OTHER_KEY}",
        ]

    def test_asks_the_path_that_the_profile_names(self, operator: Operator, fake: FakeBackend) -> None:
        fake.route("GET", "/catalog", scripts.json_body({"data": [{"id": "a"}, {"id": "b"}]}))
        profile = {"models_path": "/catalog", "headers": {"X-Team": "research"}, "query": {"page": "1"}}
        row = factories.backend(fake, "local", profile=profile)
        (said,) = told(operator.press(page("backends.backend", "test", row.pk), follow=True))
        assert said == "local without a key: reached (status 200), 2 models: a, b"
        (asked,) = fake.requests
        assert (asked.endpoint, asked.query, asked.headers["x-team"]) == ("/catalog", "page=1", "research")

    def test_leaves_retired_keys_alone(self, operator: Operator, fake: FakeBackend) -> None:
        row = factories.backend(fake, "local", api_key=KEY)
        Credential.objects.update(retired_at=timezone.now())
        (said,) = told(operator.press(page("backends.backend", "test", row.pk), follow=True))
        assert said.startswith("local without a key: reached")

    def test_asks_a_backend_that_is_away_once(self, operator: Operator) -> None:
        row = factories.backend("http://127.0.0.1:9/v1", "away", api_key=KEY)
        Credential.objects.create(backend=row, label="second", secret=OTHER_KEY)
        assert told(operator.press(page("backends.backend", "test", row.pk), follow=True)) == [
            "away with key main (…1234): not reached: connection refused"
        ]

    def test_says_when_the_stored_key_cannot_be_opened(self, operator: Operator, change: Change) -> None:
        row = stored()
        change(credential_keys=("b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q=",))
        (said,) = told(operator.press(page("backends.backend", "test", row.pk), follow=True))
        assert "the stored key cannot be read" in said

    @pytest.mark.parametrize("is_new", [True, False])
    def test_follows_the_save_when_both_are_asked_for(
        self, operator: Operator, fake: FakeBackend, is_new: bool
    ) -> None:
        if is_new:
            url = page("backends.backend", "add")
        else:
            url = change_page(factories.backend("http://127.0.0.1:9/v1", "local"))
        changes = {"name": "local", "base_url": fake.base_url, "credentials-0-api_key": KEY}
        answer = operator.fill(url, changes | {"_press": "test"}, follow=True)
        (said,) = told(answer)
        assert said.startswith("Saved. local with key main (…1234): reached (status 200), ")
        row = Backend.objects.get()
        assert answer.redirect_chain == [
            (page("backends.backend", "test", row.pk), 307),
            (change_page(row), 302),
        ]
