"""Teams and client keys in the admin: a key is shown once, works at once, and is refused once revoked."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone

from accounts import directory, keys
from accounts.errors import KeyInvalid
from accounts.models import LOCAL_TEAM, ClientKey, Team
from tests.conftest import Change
from tests.support import factories
from tests.support.admin import Operator, errors, page, told

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def operator() -> Operator:
    return Operator()


def mint(operator: Operator, team: Team, **changes: Any) -> Any:
    fields = {"team": str(team.pk), "name": "laptop"}
    return operator.fill(page("accounts.clientkey", "add"), fields | changes)


def caller(key: str) -> directory.Caller:
    return directory.authenticate(f"Bearer {key}", "", over_loopback=True)


def change_page(row: ClientKey | Team) -> str:
    return page(row._meta.label_lower, "change", row.pk)


class TestMinting:
    def test_shows_a_key_that_works_at_once(self, operator: Operator) -> None:
        answer = mint(operator, factories.team("research", ("gpt-4o",)))
        key = answer.context["minted"]
        assert f'value="{key}"' in answer.content.decode()
        assert (caller(key).team, caller(key).models) == ("research", ("gpt-4o",))
        assert caller(key).key_id == ClientKey.objects.get().public_id

    def test_answers_with_the_key_itself_and_lets_nothing_keep_it(self, operator: Operator) -> None:
        answer = mint(operator, factories.team())
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]

    def test_says_how_to_use_it_in_a_header_and_in_the_path(self, operator: Operator, change: Change) -> None:
        change(public_url="https://llm.example.com")
        answer = mint(operator, factories.team())
        key, shown = answer.context["minted"], answer.content.decode()
        assert f"Authorization: Bearer {key}" in shown
        assert f"https://llm.example.com/k/{key}" in shown

    def test_stores_a_digest_and_who_minted_it(self, operator: Operator) -> None:
        answer = mint(operator, factories.team())
        row = ClientKey.objects.get()
        assert row.digest == keys.digest(answer.context["minted"])
        assert row.created_by == operator.user

    @pytest.mark.parametrize("button", ["_save", "_continue", "_addanother"])
    def test_whatever_is_pressed_the_key_comes_first(self, operator: Operator, button: str) -> None:
        fields = {"team": str(factories.team().pk), "name": "laptop"}
        answer = operator.fill(page("accounts.clientkey", "add"), fields, button)
        assert caller(answer.context["minted"]).team == "research"

    def test_keeps_the_end_that_was_asked_for(self, operator: Operator) -> None:
        end = timezone.now().replace(microsecond=0) + timedelta(days=1)
        fields = {"expires_at_0": f"{end:%Y-%m-%d}", "expires_at_1": f"{end:%H:%M:%S}"}
        mint(operator, factories.team(), **fields)
        assert ClientKey.objects.get().expires_at == end

    def test_refuses_an_end_in_the_past(self, operator: Operator) -> None:
        answer = mint(operator, factories.team(), expires_at_0="2020-01-01", expires_at_1="00:00:00")
        assert errors(answer) == {"expires_at": ["This is in the past. To end a key now, revoke it."]}

    def test_refuses_a_name_twice_in_one_team(self, operator: Operator) -> None:
        team = factories.team()
        mint(operator, team)
        assert errors(mint(operator, team))
        assert ClientKey.objects.count() == 1


class TestTheKeyAfterwards:
    def test_is_nowhere(self, operator: Operator) -> None:
        key = mint(operator, factories.team()).context["minted"]
        row = ClientKey.objects.get()
        operator.fill(change_page(row), {"name": "renamed"}, "_continue")
        shown = operator.get(reverse("admin:index")) + operator.get(page("accounts.clientkey"))
        for name in ("change", "history", "delete"):
            shown += operator.get(page("accounts.clientkey", name, row.pk))
        log = "".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all())
        kept = "".join(str(session.get_decoded()) for session in Session.objects.all())
        kept += "".join(cookie.value for cookie in operator.client.cookies.values())
        assert row.public_id in shown
        assert row.public_id in log
        secret_part = key.removeprefix(f"{keys.PREFIX}-{row.public_id}-")
        assert key not in shown + log + kept
        assert secret_part not in shown + log + kept
        assert row.digest not in shown + log + kept

    def test_cannot_be_exchanged_or_moved(self, operator: Operator) -> None:
        row, _ = factories.key(factories.team())
        other = factories.team("other")
        forged = {
            "digest": "0" * 64,
            "public_id": "forged",
            "team": str(other.pk),
            "revoked_at": "",
            "name": "new",
        }
        operator.fill(change_page(row), forged)
        changed = ClientKey.objects.get()
        assert (changed.name, changed.digest, changed.public_id) == ("new", row.digest, row.public_id)
        assert changed.team == row.team

    def test_can_be_kept_longer_after_its_end(self, operator: Operator) -> None:
        row, key = factories.key(factories.team(), expires_at=timezone.now() - timedelta(hours=1))
        with pytest.raises(KeyInvalid):
            caller(key)
        operator.fill(change_page(row), {"expires_at_0": "", "expires_at_1": ""})
        assert caller(key).team == "research"

    def test_can_be_renamed_after_its_end(self, operator: Operator) -> None:
        end = timezone.now().replace(microsecond=0) - timedelta(hours=1)
        row, _ = factories.key(factories.team(), expires_at=end)
        operator.fill(change_page(row), {"name": "renamed"})
        assert ClientKey.objects.get().name == "renamed"


class TestRevoking:
    def test_on_its_page_refuses_it_at_once(self, operator: Operator) -> None:
        row, key = factories.key(factories.team())
        assert caller(key).team == "research"
        assert page("accounts.clientkey", "revoke", row.pk) in operator.get(change_page(row))
        answer = operator.press(
            page("accounts.clientkey", "revoke", row.pk), follow=True, _press="revoke", name=row.name
        )
        assert told(answer) == [f"{row} is revoked: it is refused from now on."]
        assert answer.redirect_chain == [(change_page(row), 302)]
        with pytest.raises(KeyInvalid):
            caller(key)

    def test_in_the_list_refuses_all_that_are_ticked(self, operator: Operator) -> None:
        team = factories.team()
        gone, lost, kept = (factories.key(team, name) for name in ("gone", "lost", "kept"))
        ticked = [str(row.pk) for row, _ in (gone, lost)]
        operator.press(page("accounts.clientkey"), action="revoke_selected", _selected_action=ticked)
        for _, key in (gone, lost):
            with pytest.raises(KeyInvalid):
                caller(key)
        assert caller(kept[1]).team == "research"

    def test_stands_in_the_history(self, operator: Operator) -> None:
        row, _ = factories.key(factories.team())
        operator.press(page("accounts.clientkey", "revoke", row.pk))
        assert "Revoked." in operator.get(page("accounts.clientkey", "history", row.pk))

    def test_twice_keeps_the_first_time(self, operator: Operator) -> None:
        first = timezone.now() - timedelta(days=1)
        row, _ = factories.key(factories.team(), revoked_at=first)
        operator.press(page("accounts.clientkey", "revoke", row.pk))
        assert ClientKey.objects.get().revoked_at == first
        assert page("accounts.clientkey", "revoke", row.pk) not in operator.get(change_page(row))

    def test_is_not_offered_to_viewers(self) -> None:
        row, _ = factories.key(factories.team())
        viewer = Operator("accounts.view_clientkey")
        assert "revoke_selected" not in viewer.get(page("accounts.clientkey"))
        assert page("accounts.clientkey", "revoke", row.pk) not in viewer.get(change_page(row))


class TestListOfKeys:
    def test_tells_the_state_of_each(self, operator: Operator) -> None:
        yesterday = timezone.now() - timedelta(days=1)
        team = factories.team()
        factories.key(team, "a")
        factories.key(team, "b", expires_at=yesterday)
        factories.key(team, "c", revoked_at=yesterday)
        factories.key(factories.team("off", enabled=False), "d")
        shown = operator.get(page("accounts.clientkey"))
        assert all(f"\n{state}\n" in shown for state in ("live", "expired", "revoked", "team off"))


class TestTeams:
    def test_models_come_one_a_line(self, operator: Operator) -> None:
        lines = "gpt-4o\r\n\r\n  qwen* \r\ngpt-4o"
        operator.fill(page("accounts.team", "add"), {"name": "research", "allowed_models": lines})
        assert Team.objects.get(name="research").allowed_models == ["gpt-4o", "qwen*"]

    def test_a_new_team_may_use_all(self, operator: Operator) -> None:
        operator.fill(page("accounts.team", "add"), {"name": "research"})
        assert Team.objects.get(name="research").allowed_models == ["*"]

    def test_refuses_two_stars(self, operator: Operator) -> None:
        answer = operator.fill(page("accounts.team", "add"), {"name": "research", "allowed_models": "a*b*"})
        assert "allowed_models" in errors(answer)

    def test_what_is_allowed_is_in_force_at_once(self, operator: Operator) -> None:
        row, key = factories.key(factories.team())
        operator.fill(change_page(row.team), {"allowed_models": "qwen*"})
        assert (caller(key).may_use("qwen3"), caller(key).may_use("gpt-4o")) == (True, False)

    def test_switched_off_in_the_list_refuses_its_keys(self, operator: Operator) -> None:
        _, key = factories.key(factories.team("a-first"))
        operator.fill(page("accounts.team"), {"form-0-enabled": None})
        with pytest.raises(KeyInvalid):
            caller(key)

    def test_the_list_counts_keys_that_work(self, operator: Operator) -> None:
        team = factories.team()
        factories.key(team, "a")
        factories.key(team, "b", revoked_at=timezone.now())
        factories.key(team, "c", expires_at=timezone.now() - timedelta(hours=1))
        factories.key(team, "d", expires_at=timezone.now() + timedelta(hours=1))
        shown = operator.get(page("accounts.team"))
        assert f'href="{page("accounts.clientkey")}?team__id__exact={team.pk}">2</a>' in shown
        assert "requests without a key, where none is needed" in shown
        assert LOCAL_TEAM in shown
