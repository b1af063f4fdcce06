"""Nothing is lost in silence: what others saved meanwhile, a pasted key, a switch, a failure."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone

from accounts.models import ClientKey
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from core.stale_saves import STALE
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.admin import Answer, Form, Operator, errors, page, told

pytestmark = pytest.mark.usefixtures("database")

KEY = "Zb81Qx7Lw02PmVt99RkE-1234"
OTHER_KEY = "Yc92Ry8Mx13QnWu00SlF-5678"
AWAY = "http://127.0.0.1:9/v1"


@pytest.fixture
def operator() -> Operator:
    return Operator()


def change_page(row: Any) -> str:
    return page(row._meta.label_lower, "change", row.pk)


class Tab:
    """A page that was opened, and may be saved later."""

    def __init__(self, operator: Operator, url: str) -> None:
        self.operator = operator
        self.url = url
        self.fields = Form(operator.get(url)).fields

    def save(self, **changes: Any) -> Answer:
        fields = {name: value for name, value in (self.fields | changes).items() if value is not None}
        return self.operator.client.post(self.url, {"_save": "1"} | fields)

    def again(self, answer: Answer, **changes: Any) -> Answer:
        """Save what came back."""
        self.fields = Form(answer.content.decode()).fields
        return self.save(**changes)


def is_refused(answer: Answer) -> bool:
    return answer.status_code == 200 and STALE in errors(answer).get("__all__", [])


def _backend() -> Any:
    return factories.backend("http://backend.test/v1", "openai", api_key=KEY)


def _mapping() -> Any:
    return factories.mapping("gpt-4o", _backend())


def _person() -> Any:
    return User.objects.create(username="ben", email="ben@example.com")


OBJECTS = [
    (_backend, {"notes": "newer"}, {"name": "renamed"}, "notes"),
    (_backend, {"verify_tls": None}, {"name": "renamed"}, "verify_tls"),
    (_backend, {"profile": '{"idle_timeout_s": 5}'}, {"notes": "mine"}, "profile"),
    (_mapping, {"system": "newer"}, {"context_length": "5"}, "system"),
    (_mapping, {"options": '{"seed": 1}'}, {"template": "mine"}, "options"),
    (lambda: factories.team(), {"allowed_models": "qwen*"}, {"name": "renamed"}, "allowed_models"),
    (lambda: factories.key(factories.team())[0], {"rights": ["trace"]}, {"name": "mine"}, "rights"),
    (_person, {"email": "newer@example.com"}, {"first_name": "Ben"}, "email"),
    (_person, {"is_active": None}, {"first_name": "Ben"}, "is_active"),
    (lambda: Group.objects.create(name="ops"), {"name": "newer"}, {"name": "mine"}, "name"),
]


class TestAnOlderTab:
    @pytest.mark.parametrize(("make", "theirs", "mine", "field"), OBJECTS)
    def test_takes_nothing_back_and_shows_both(
        self, operator: Operator, make: Callable[[], Any], theirs: Any, mine: Any, field: str
    ) -> None:
        row = make()
        old, new = Tab(operator, change_page(row)), Tab(operator, change_page(row))
        assert new.save(**theirs).status_code == 302
        newer = type(row).objects.get(pk=row.pk)
        answer = old.save(**mine)
        assert is_refused(answer)
        row.refresh_from_db()
        assert getattr(row, field) == getattr(newer, field)
        assert errors(answer)[field][-1].startswith("Stored now: ")
        kept = Form(answer.content.decode()).fields
        assert {name: kept[name] for name in mine} == mine

    @pytest.mark.parametrize(("make", "theirs", "mine", "field"), OBJECTS)
    def test_saved_again_it_is_a_decision(
        self, operator: Operator, make: Callable[[], Any], theirs: Any, mine: Any, field: str
    ) -> None:
        row = make()
        old, new = Tab(operator, change_page(row)), Tab(operator, change_page(row))
        new.save(**theirs)
        assert old.again(old.save(**mine)).status_code == 302
        for name, value in mine.items():
            assert str(getattr(type(row).objects.get(pk=row.pk), name)) == value

    def test_tells_what_is_stored_in_the_fields_own_words(self, operator: Operator) -> None:
        row = _mapping()
        old, new = Tab(operator, change_page(row)), Tab(operator, change_page(row))
        new.save(enabled=None, capabilities=["tools", "vision"], options='{"seed": 1}', system="s" * 400)
        said = errors(old.save(name="mine"))
        assert said["enabled"] == ["Stored now: off"]
        assert said["capabilities"] == ["Stored now: tools, vision"]
        assert said["options"] == ['Stored now: {\n  "seed": 1\n}']
        assert said["system"] == [f"Stored now: {'s' * 300}…"]
        assert said["name"] == ["Stored now: gpt-4o"]

    def test_without_a_version_it_is_old(self, operator: Operator) -> None:
        tab = Tab(operator, change_page(_backend()))
        assert is_refused(tab.save(_version=None, name="forged"))

    def test_that_is_up_to_date_saves(self, operator: Operator) -> None:
        row = _mapping()
        for number in range(3):
            assert Tab(operator, change_page(row)).save(context_length=str(number)).status_code == 302

    def test_is_not_made_old_by_logging_in_or_by_saving_the_same(self, operator: Operator) -> None:
        person = _person()
        tab = Tab(operator, change_page(person))
        person.last_login = timezone.now()
        person.set_password("something new")
        person.save()
        assert tab.save(first_name="Ben").status_code == 302
        row = _mapping()
        tab, other = Tab(operator, change_page(row)), Tab(operator, change_page(row))
        other.save()
        assert tab.save(system="mine").status_code == 302

    def test_is_made_old_by_every_other_way_to_change_things(self, operator: Operator) -> None:
        row = _mapping()
        tab = Tab(operator, change_page(row))
        ModelMapping.objects.update(license="by a client")
        assert is_refused(tab.save(system="mine"))


class TestInlineRows:
    def test_a_changed_target_is_not_taken_back(self, operator: Operator) -> None:
        row = _mapping()
        old, new = Tab(operator, change_page(row)), Tab(operator, change_page(row))
        new.save(**{"targets-0-model": "newer"})
        answer = old.save(system="mine")
        assert is_refused(answer)
        assert errors(answer)["targets-0-model"] == ["Stored now: newer"]
        assert MappingTarget.objects.get().model == "newer"

    def test_an_added_one_is_told_and_stays(self, operator: Operator) -> None:
        row = _mapping()
        old = Tab(operator, change_page(row))
        MappingTarget.objects.create(mapping=row, backend=Backend.objects.get(), model="added")
        answer = old.save(system="mine")
        assert is_refused(answer)
        assert "Added meanwhile, and kept: added on openai" in answer.content.decode()
        assert old.again(answer).status_code == 302
        assert MappingTarget.objects.count() == 2

    def test_a_deleted_one_is_told(self, operator: Operator) -> None:
        row = _mapping()
        old = Tab(operator, change_page(row))
        MappingTarget.objects.all().delete()
        answer = old.save(system="mine")
        assert is_refused(answer)
        assert "A row that stands here was deleted meanwhile" in answer.content.decode()

    @pytest.mark.parametrize(
        "theirs", [{"credentials-0-api_key": OTHER_KEY}, {"credentials-0-retired": "on"}]
    )
    def test_a_changed_key_makes_the_page_old(self, operator: Operator, theirs: dict[str, str]) -> None:
        row = _backend()
        old, new = Tab(operator, change_page(row)), Tab(operator, change_page(row))
        new.save(**theirs)
        answer = old.save(**{"credentials-0-api_key": KEY})
        assert is_refused(answer)
        assert errors(answer)["credentials-0-api_key"] == [
            "Paste the key again: it was not saved, and a key is never shown again."
        ]
        assert KEY not in answer.content.decode()


def test_of_two_saves_at_a_time_one_is_refused(operator: Operator) -> None:
    row = _mapping()
    tabs = [Tab(operator, change_page(row)), Tab(Operator(name="ben"), change_page(row))]
    start, answers = threading.Barrier(2), []

    def save(tab: Tab, name: str) -> None:
        start.wait()
        answers.append(tab.save(**{name: "5"}))
        connection.close()

    threads = [
        threading.Thread(target=save, args=pair) for pair in zip(tabs, ["system", "template"], strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    row.refresh_from_db()
    assert sorted([row.system, row.template]) == ["", "5"]


class TestSwitchesOfAList:
    @pytest.mark.parametrize(
        ("model", "make"),
        [
            ("backends.backend", lambda name: factories.backend("http://h/v1", name)),
            ("backends.modelmapping", lambda name: factories.mapping(name)),
            ("accounts.team", lambda name: factories.team(name)),
        ],
    )
    def test_an_older_list_switches_only_what_was_switched_on_it(
        self, operator: Operator, model: str, make: Callable[[str], Any]
    ) -> None:
        first, second = make("a-first"), make("b-second")
        old = Tab(operator, page(model))
        type(first).objects.filter(pk=first.pk).update(enabled=False)
        assert old.save(**{"form-1-enabled": None}).status_code == 302
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.enabled, second.enabled) == (False, False)

    def test_are_saved_before_a_button_of_a_row_does_its_work(
        self, operator: Operator, fake: FakeBackend
    ) -> None:
        first, second = (factories.backend(fake, name) for name in ("a-first", "b-second"))
        tab = Tab(operator, page("backends.backend"))
        fields = {name: value for name, value in tab.fields.items() if name != "form-1-enabled"}
        answer = operator.client.post(tab.url, fields | {"_save": f"test:{first.pk}"}, follow=True)
        second.refresh_from_db()
        assert not second.enabled
        saved, tested = told(answer)
        assert "1 backend was changed" in saved
        assert tested.startswith("a-first without a key: reached")
        assert answer.redirect_chain[-1] == (page("backends.backend"), 302)


class TestButtonsOfAPage:
    def test_save_and_test_tests_what_is_on_the_page(self, operator: Operator, fake: FakeBackend) -> None:
        row = factories.backend(AWAY, "local")
        answer = operator.fill(
            change_page(row), {"base_url": fake.base_url, "enabled": None, "_press": "test"}, follow=True
        )
        row.refresh_from_db()
        assert (row.base_url, row.enabled) == (fake.base_url, False)
        assert told(answer)[0].startswith("Saved. local without a key: reached")

    def test_save_and_probe_saves_the_page(self, operator: Operator) -> None:
        row = factories.mapping("m")
        answer = operator.fill(change_page(row), {"system": "mine", "_press": "probe"}, follow=True)
        row.refresh_from_db()
        assert row.system == "mine"
        assert told(answer) == ["Saved, but the probe failed. m leads nowhere: no enabled target."]

    @pytest.mark.parametrize("button", [("backends.modelmapping", "probe"), ("backends.backend", "test")])
    def test_a_page_offers_no_button_that_forgets_what_is_on_it(
        self, operator: Operator, button: tuple[str, str]
    ) -> None:
        row = factories.mapping("m", _backend()) if button[1] == "probe" else _backend()
        assert f'formaction="{page(button[0], button[1], row.pk)}"' not in operator.get(change_page(row))

    def test_a_page_with_an_error_is_neither_saved_nor_tested(
        self, operator: Operator, fake: FakeBackend
    ) -> None:
        row = factories.backend(fake, "local")
        answer = operator.fill(change_page(row), {"name": "no slug", "_press": "test"}, follow=True)
        assert "name" in errors(answer)
        assert fake.requests == []

    def test_revoking_says_what_it_did_not_save(self, operator: Operator) -> None:
        row, _ = factories.key(factories.team())
        fields = Form(operator.get(change_page(row))).fields | {"name": "renamed", "_press": "revoke"}
        answer = operator.client.post(page("accounts.clientkey", "revoke", row.pk), fields, follow=True)
        assert told(answer)[1:] == ["What else you changed on the page was not saved."]
        revoked = ClientKey.objects.get()
        assert (revoked.name, revoked.revoked_at is not None) == ("laptop", True)


class TestOneTruth:
    @pytest.mark.parametrize("is_new", [True, False])
    def test_a_failed_test_is_told_as_such(self, operator: Operator, is_new: bool) -> None:
        url = page("backends.backend", "add") if is_new else change_page(factories.backend(AWAY, "local"))
        changes = {"name": "local", "base_url": AWAY, "credentials-0-api_key": KEY, "_press": "test"}
        answer = operator.fill(url, changes, follow=True)
        assert told(answer) == [
            "Saved, but the test failed. local with key main (…1234): not reached: connection refused"
        ]
        assert [message.level_tag for message in answer.context["messages"]] == ["error"]
        assert "successfully" not in answer.content.decode()
        assert Backend.objects.get().base_url == AWAY


class TestAPastedKey:
    CHANGES = {"name": "no slug", "credentials-0-api_key": OTHER_KEY}  # noqa: RUF012

    @pytest.mark.parametrize("is_new", [True, False])
    def test_that_was_dropped_is_asked_for_at_its_field(self, operator: Operator, is_new: bool) -> None:
        url = page("backends.backend", "add") if is_new else change_page(_backend())
        answer = operator.fill(url, {"base_url": "http://h/v1"} | self.CHANGES)
        assert errors(answer)["credentials-0-api_key"][-1] == (
            "Paste the key again: it was not saved, and a key is never shown again."
        )
        assert OTHER_KEY not in answer.content.decode()
        assert not Credential.objects.filter(hint="5678").exists()

    def test_is_not_asked_for_where_none_was_pasted(self, operator: Operator) -> None:
        answer = operator.fill(change_page(_backend()), {"name": "no slug"})
        assert "credentials-0-api_key" not in errors(answer)
