"""Mappings and their targets in the admin: checked as they are typed, in force at once."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from backends.models import Backend, ModelMapping
from backends.routing import registry
from tests.support import factories
from tests.support.admin import Operator, errors, page

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def operator() -> Operator:
    return Operator()


def stored(**fields: Any) -> Backend:
    return factories.backend("http://backend.test/v1", "openai", **fields)


def change_page(row: ModelMapping) -> str:
    return page("backends.modelmapping", "change", row.pk)


class TestMappings:
    def add(self, operator: Operator, **changes: Any) -> Any:
        backend = Backend.objects.first() or stored()
        fields = {"name": "gpt-4o", "targets-0-backend": str(backend.pk), "targets-0-model": "gpt-4o-2024"}
        return operator.fill(page("backends.modelmapping", "add"), fields | changes)

    def test_is_in_force_at_once(self, operator: Operator) -> None:
        self.add(
            operator,
            system="Be terse.",
            options='{"temperature": 0.2}',
            forced_options='{"seed": 1}',
            capabilities=["tools", "completion"],
            context_length="8192",
        )
        route = registry.current().resolve("gpt-4o:latest")
        assert route is not None
        assert [(target.upstream.name, target.model) for target in route.targets] == [
            ("openai", "gpt-4o-2024")
        ]
        rule = route.rule
        assert (rule.system, rule.options, rule.forced_options) == (
            "Be terse.",
            {"temperature": 0.2},
            {"seed": 1},
        )
        assert (set(rule.capabilities), rule.context_length) == ({"tools", "completion"}, 8192)

    def test_is_repointed_at_once(self, operator: Operator) -> None:
        row = factories.mapping("gpt-4o", stored())
        operator.fill(change_page(row), {"targets-0-model": "other"})
        route = registry.current().resolve("gpt-4o")
        assert route is not None
        assert [target.model for target in route.targets] == ["other"]

    def test_without_extras_holds_none(self, operator: Operator) -> None:
        self.add(operator)
        row = ModelMapping.objects.get()
        assert (row.options, row.forced_options, row.capabilities, row.context_length) == ({}, {}, [], None)

    def test_unchanged_is_unchanged(self, operator: Operator) -> None:
        row = factories.mapping("gpt-4o", stored(), options={"stop": ["a"]}, capabilities=["tools", "vision"])
        operator.fill(change_page(row), {})
        row.refresh_from_db()
        assert (row.options, row.capabilities) == ({"stop": ["a"]}, ["tools", "vision"])
        assert LogEntry.objects.get().get_change_message() == "No fields changed."

    def test_capabilities_can_be_unticked(self, operator: Operator) -> None:
        row = factories.mapping("gpt-4o", stored(), capabilities=["tools", "vision"])
        operator.fill(change_page(row), {"capabilities": None})
        row.refresh_from_db()
        assert row.capabilities == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{temperature: 1}", "This is not JSON: "),
            ('{"temperature":\n 1,}', "(line 2, column"),
            ('{"temperature": NaN}', "NaN is not JSON."),
            ("[1]", "This must be a JSON object"),
            ('"text"', "This must be a JSON object"),
        ],
    )
    def test_refuses_options_that_are_none_and_keeps_what_was_typed(
        self, operator: Operator, text: str, said: str
    ) -> None:
        answer = self.add(operator, options=text)
        assert said in errors(answer)["options"][0]
        assert answer.context["adminform"].form["options"].value() == text

    @pytest.mark.parametrize("name", ["GPT-4o", "gpt-4o:latest"])
    def test_refuses_a_name_that_clients_cannot_tell_apart(self, operator: Operator, name: str) -> None:
        factories.mapping("gpt-4o", stored())
        assert errors(self.add(operator, name=name)) == {
            "name": ["Clients cannot tell it from the mapping 'gpt-4o'."]
        }

    def test_refuses_a_star_with_nothing_to_stand_for(self, operator: Operator) -> None:
        assert (
            "* stands for something in patterns only"
            in errors(self.add(operator, **{"targets-0-model": "*"}))["targets-0-model"][0]
        )

    def test_takes_a_star_in_the_target_of_a_pattern(self, operator: Operator) -> None:
        self.add(operator, name="qwen*", **{"targets-0-model": "q-*"})
        route = registry.current().resolve("qwen3")
        assert route is not None
        assert [target.model for target in route.targets] == ["q-3"]

    def test_folds_away_what_is_empty(self, operator: Operator) -> None:
        plain, rich = (
            factories.mapping(name, options=options) for name, options in (("a", {}), ("b", {"seed": 1}))
        )
        assert operator.get(change_page(plain)).count("<summary") == 2
        assert operator.get(change_page(rich)).count("<summary") == 1


class TestListOfMappings:
    def test_tells_where_they_lead(self, operator: Operator) -> None:
        near, far = stored(), factories.backend("http://far.test/v1", "far")
        row = factories.mapping("gpt-4o", near, far, model="big")
        row.targets.create(backend=far, model="spare", priority=1, weight=10)
        row.targets.create(backend=far, model="unused", priority=1, enabled=False)
        shown = operator.get(page("backends.modelmapping"))
        assert "big on openai or spare on far, then big on far" in shown
        assert "unused" not in shown

    def test_tells_when_they_lead_nowhere(self, operator: Operator) -> None:
        factories.mapping("gpt-4o", stored(enabled=False))
        assert "nowhere: no enabled target" in operator.get(page("backends.modelmapping"))

    def test_switches_a_mapping_off(self, operator: Operator) -> None:
        factories.mapping("gpt-4o", stored())
        operator.fill(page("backends.modelmapping"), {"form-0-enabled": None})
        assert registry.current().resolve("gpt-4o") is None
