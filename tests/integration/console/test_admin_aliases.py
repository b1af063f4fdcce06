"""What clients do to the routing table, in the admin: who may, who did, and what they leave behind."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from accounts import directory
from accounts.admin import RIGHT_SENTENCES
from accounts.models import ClientKey
from accounts.rights import MANAGE_MODELS, RIGHTS
from backends.models import ModelMapping, RouteChange
from backends.routing import registry
from backends.routing.snapshot import ModelDetails
from tests.conftest import Change
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.admin import Operator, errors, page
from tests.support.raw_http import Client

pytestmark = pytest.mark.usefixtures("database")

TURNS = [{"role": "user", "content": "Are you there?"}, {"role": "assistant", "content": "Yes.\n\nAnd you?"}]
BLOCKS = "user: Are you there?\r\n\r\nassistant: Yes.\r\n\r\nAnd you?"
CLIENT = "key ci of team research"
MAPPINGS, CHANGES, KEYS = (
    page("backends.modelmapping"),
    page("backends.routechange"),
    page("accounts.clientkey"),
)


@pytest.fixture
def operator() -> Operator:
    return Operator()


def mapping(**fields: Any) -> ModelMapping:
    return factories.mapping("pet", factories.backend("http://backend.test/v1"), **fields)


def change_page(row: ModelMapping | ClientKey | RouteChange) -> str:
    return page(row._meta.label_lower, "change", row.pk)


def changed_by() -> str:
    return ModelMapping.objects.get().changed_by


class TestExampleTurns:
    def save(self, operator: Operator, text: str) -> Any:
        return operator.fill(change_page(mapping()), {"messages": text})

    @pytest.mark.parametrize(
        "text",
        [BLOCKS, '[{"role": "user", "content": "Are you there?"}, {"role": "assistant", "content": "x"}]'],
    )
    def test_are_in_force_at_once(self, operator: Operator, text: str) -> None:
        self.save(operator, text)
        route = registry.current().resolve("pet")
        assert route is not None
        first, second = route.rule.messages
        assert first == TURNS[0]
        assert second in (TURNS[1], {"role": "assistant", "content": "x"})

    def test_are_shown_as_blocks_and_unchanged_as_the_browser_sends_them_back(
        self, operator: Operator
    ) -> None:
        row = mapping(messages=TURNS, system="a\nb\n", changed_by=CLIENT)
        shown = operator.get(change_page(row))
        assert "user: Are you there?\n\nassistant: Yes.\n\nAnd you?</textarea>" in shown
        operator.fill(change_page(row), {"messages": BLOCKS, "system": "a\r\nb\r\n"})
        row.refresh_from_db()
        assert (row.messages, row.system, row.changed_by) == (TURNS, "a\nb\n", CLIENT)
        assert LogEntry.objects.get().get_change_message() == "No fields changed."

    def test_can_be_taken_away(self, operator: Operator) -> None:
        row = mapping(messages=TURNS)
        operator.fill(change_page(row), {"messages": ""})
        row.refresh_from_db()
        assert row.messages == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("Hello", "Line 1: begin each turn with its role: system:, user:, assistant:."),
            ("user:", "Turn 1 (user) has no text."),
            ('[{"role": "user"}]', "Turn 1 must have a role and a content, and nothing else."),
            ('[{"role": "user" "content": "a"}]', "This is not JSON: "),
        ],
    )
    def test_are_refused_in_words_and_kept_as_they_were_typed(
        self, operator: Operator, text: str, said: str
    ) -> None:
        answer = self.save(operator, text)
        assert errors(answer)["messages"][0].startswith(said)
        assert answer.context["adminform"].form["messages"].value() == text
        assert ModelMapping.objects.get().messages == []


class TestTemplateAndLicense:
    def test_are_in_force_at_once_with_the_line_ends_of_everybody_else(self, operator: Operator) -> None:
        operator.fill(
            change_page(mapping()), {"template": "{{ .Prompt }}", "license": " MIT\r\nas it is\r\n"}
        )
        route = registry.current().resolve("pet")
        assert route is not None
        assert (route.rule.template, route.rule.license) == ("{{ .Prompt }}", " MIT\nas it is\n")

    def test_come_with_what_else_clients_are_told(self, operator: Operator) -> None:
        said = {"family": "own", "parameter_size": "70B", "quantization_level": "Q4", "description": "Code."}
        changes = {**said, "recommended": "3", "show_backend_texts": "on"}
        operator.fill(change_page(mapping()), changes)
        route = registry.current().resolve("pet")
        assert route is not None
        assert route.rule.details == ModelDetails(**said, recommended=3, show_backend_texts=True)

    def test_recommend_no_pattern(self, operator: Operator) -> None:
        row = mapping()
        answer = operator.fill(change_page(row), {"name": "pet*", "recommended": "1"})
        assert errors(answer)["recommended"] == ["A pattern is no name that anybody could be recommended."]

    def test_unfold_the_section_that_holds_them(self, operator: Operator) -> None:
        assert operator.get(change_page(mapping(license="MIT"))).count("<summary") == 1


class TestWhoChangedAMapping:
    def test_an_operator_who_adds_it(self, operator: Operator) -> None:
        backend = factories.backend("http://backend.test/v1")
        fields = {"name": "pet", "targets-0-backend": str(backend.pk), "targets-0-model": "m"}
        operator.fill(page("backends.modelmapping", "add"), fields)
        assert changed_by() == "admin ana"

    @pytest.mark.parametrize("changes", [{"system": "Be terse."}, {"targets-0-model": "other"}])
    def test_an_operator_who_changes_it_or_where_it_leads(
        self, operator: Operator, changes: dict[str, str]
    ) -> None:
        operator.fill(change_page(mapping(changed_by=CLIENT)), changes)
        assert changed_by() == "admin ana"

    def test_an_operator_who_switches_it_off_in_the_list(self, operator: Operator) -> None:
        mapping(changed_by=CLIENT)
        operator.fill(MAPPINGS, {"form-0-enabled": None})
        assert changed_by() == "admin ana"

    def test_nobody_who_saves_it_as_it_is(self, operator: Operator) -> None:
        row = mapping(changed_by=CLIENT)
        operator.fill(change_page(row), {})
        operator.fill(MAPPINGS, {})
        assert changed_by() == CLIENT

    @pytest.mark.parametrize("who", ["", "apply", "admin ana"])
    def test_operators_are_not_named_in_the_list(self, operator: Operator, who: str) -> None:
        mapping(changed_by=who)
        assert '<span class="lg-sub"></span>' in operator.get(MAPPINGS)

    @pytest.mark.parametrize("who", [CLIENT, "team local"])
    def test_clients_are(self, operator: Operator, who: str) -> None:
        mapping(changed_by=who)
        assert f'<span class="lg-sub">by {who}</span>' in operator.get(MAPPINGS)

    def test_the_page_tells_of_everybody_and_leads_to_what_clients_did(self, operator: Operator) -> None:
        row = mapping(changed_by=CLIENT)
        assert f'href="{CHANGES}?q=pet"' in operator.get(change_page(row))
        assert f"by {CLIENT}" in operator.get(change_page(row))
        operator.fill(change_page(row), {"system": "Be terse."})
        assert "by admin ana" in operator.get(change_page(row))
        assert f'href="{CHANGES}?q=pet"' not in operator.get(change_page(row))


@pytest.fixture
def key(fake: FakeBackend) -> tuple[ClientKey, str]:
    """A key of the team research with the right, and something to make aliases of."""
    factories.route(fake)
    row, secret = factories.key(factories.team(), "ci")
    row.rights = [MANAGE_MODELS]
    row.save()
    return row, secret


class TestChangesByClients:
    def test_tell_what_was_done_and_by_whom_the_newest_first(
        self, client: Client, operator: Operator, key: tuple[ClientKey, str]
    ) -> None:
        headers = {"Authorization": f"Bearer {key[1]}"}
        made = {"model": "pet", "from": "m", "license": "MIT", "messages": TURNS}
        assert client.call("POST", "/api/create", made, headers=headers).status == 200
        assert client.call("POST", "/api/copy", {"source": "pet", "destination": "dog"}).status == 200
        assert f'<span class="lg-sub">by {CLIENT}</span>' in operator.get(MAPPINGS)
        assert client.call("DELETE", "/api/delete", {"model": "pet"}, headers=headers).status == 200
        rows = RouteChange.objects.values_list("actor", "action", "name", "detail")
        assert list(rows) == [
            (CLIENT, "delete", "pet", ""),
            ("team local", "copy", "dog", "from pet"),
            (CLIENT, "create", "pet", "from m"),
        ]
        shown = operator.get(CHANGES)
        assert shown.index("\ndelete\n") < shown.index("\ncopy\n") < shown.index("\ncreate\n")
        assert all(part in shown for part in (CLIENT, "team local", "from pet"))

    def test_can_be_searched(self, operator: Operator) -> None:
        for name in ("pet", "dog"):
            RouteChange.objects.create(actor=CLIENT, action="create", name=name, detail="from m")
        shown = operator.get(f"{CHANGES}?q=dog")
        assert "field-name" in shown
        assert ">dog<" in shown
        assert ">pet<" not in shown
        assert operator.get(f"{CHANGES}?q=research").count("field-name") == 2

    def test_are_changed_by_nobody(self, operator: Operator) -> None:
        row = RouteChange.objects.create(actor=CLIENT, action="create", name="pet")
        operator.get(change_page(row))
        assert operator.client.get(page("backends.routechange", "add")).status_code == 403
        assert operator.press(change_page(row), actor="somebody").status_code == 403
        assert operator.press(page("backends.routechange", "delete", row.pk), post="yes").status_code == 403
        operator.press(CHANGES, action="delete_selected", _selected_action=[str(row.pk)], post="yes")
        assert RouteChange.objects.values_list("actor", "name").get() == (CLIENT, "pet")

    def test_say_when_there_are_none_and_offer_nothing(self, operator: Operator) -> None:
        shown = operator.get(CHANGES)
        assert "No change by a client yet" in shown
        assert "Add the first" not in shown

    def test_are_seen_by_those_only_who_may(self) -> None:
        assert Operator("backends.view_backend", name="a").client.get(CHANGES).status_code == 403
        reader = Operator("backends.view_routechange", name="b")
        assert f'href="{CHANGES}"' in reader.get(CHANGES)


class TestRights:
    def rights(self, secret: str) -> frozenset[str]:
        return directory.authenticate(f"Bearer {secret}", "", over_loopback=True).rights

    def test_are_given_when_a_key_is_minted(self, operator: Operator) -> None:
        fields = {"team": str(factories.team().pk), "name": "ci", "rights": [MANAGE_MODELS]}
        answer = operator.fill(page("accounts.clientkey", "add"), fields)
        assert self.rights(answer.context["minted"]) == {MANAGE_MODELS}
        assert MANAGE_MODELS in operator.get(KEYS)

    def test_are_none_unless_ticked(self, operator: Operator) -> None:
        fields = {"team": str(factories.team().pk), "name": "ci"}
        answer = operator.fill(page("accounts.clientkey", "add"), fields)
        assert self.rights(answer.context["minted"]) == frozenset()
        assert MANAGE_MODELS not in operator.get(KEYS)

    def test_are_taken_away_at_once(self, operator: Operator, key: tuple[ClientKey, str]) -> None:
        row, secret = key
        operator.fill(change_page(row), {"name": "renamed"})
        assert self.rights(secret) == {MANAGE_MODELS}
        operator.fill(change_page(row), {"rights": None})
        assert self.rights(secret) == frozenset()

    def test_belong_to_who_is_local_and_not_to_strangers(self, change: Change) -> None:
        assert directory.authenticate("", "", over_loopback=True).rights == set(RIGHTS)
        change(serve_without_keys=True)
        stranger = directory.authenticate("", "", over_loopback=False)
        assert (stranger.team, stranger.rights) == ("local", frozenset())
        change(host="0.0.0.0")
        assert directory.authenticate("", "", over_loopback=True).rights == frozenset()

    def test_that_do_not_exist_are_refused(self, operator: Operator, key: tuple[ClientKey, str]) -> None:
        assert "rights" in errors(operator.fill(change_page(key[0]), {"rights": ["fly"]}))

    def test_come_with_a_sentence_each(self, operator: Operator, key: tuple[ClientKey, str]) -> None:
        assert set(RIGHT_SENTENCES) == set(RIGHTS)
        assert all(sentence in operator.get(change_page(key[0])) for sentence in RIGHT_SENTENCES.values())
