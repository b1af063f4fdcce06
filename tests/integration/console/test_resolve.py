"""`manage.py resolve`: where a name leads, and why."""

import io

import pytest
from django.core.management import CommandError, call_command

from backends.models import Backend, MappingTarget
from tests.conftest import Change
from tests.support import factories
from tests.support.configuration import (
    API_KEY,
)


class TestResolve:
    def resolve(self, *arguments: str) -> list[str]:
        out = io.StringIO()
        try:
            call_command("resolve", *arguments, stdout=out)
        except CommandError as error:
            assert error.returncode == 1
            return [*out.getvalue().splitlines(), f"error: {error}"]
        return out.getvalue().splitlines()

    @pytest.fixture(autouse=True)
    def _routes(self, database: None) -> None:
        near = factories.backend("http://near/v1", "near")
        far = factories.backend("http://far/v1", "far")
        off = factories.backend("http://off/v1", "off", enabled=False)
        factories.mapping("gpt", near, far, off, model="g")
        shared = factories.mapping("shared-*", near, model="*")
        MappingTarget.objects.create(mapping=shared, backend=far, model="big-*", weight=300)
        factories.mapping("dead", off)
        factories.mapping("hidden", near, enabled=False)

    def test_an_exact_name(self) -> None:
        assert self.resolve("GPT:latest") == [
            "GPT:latest -> mapping 'gpt' (exact name)",
            "  g on near (priority 1, weight 100)",
            "  g on far (priority 2, weight 100)",
            "  unknown, unless the backend tells: tools, thinking of g on near, g on far; "
            "`manage.py probe GPT:latest` asks",
            "  not used: g on off (backend disabled)",
        ]

    def test_what_is_unknown_of_a_model_is_told_with_how_to_find_out(self) -> None:
        near = Backend.objects.get(name="near")
        factories.mapping("thinks", near, model="deepseek-r1")
        factories.mapping("told", near, capabilities=["completion"])
        factories.mapping("embeds", near, model="bge-m3")
        assert [line for line in self.resolve("thinks") if "unknown" in line] == [
            "  unknown, unless the backend tells: tools of deepseek-r1 on near; `manage.py probe thinks` asks"
        ]
        for name in ("told", "embeds"):
            assert not [line for line in self.resolve(name) if "unknown" in line]

    def test_a_pattern_and_its_shares(self) -> None:
        assert self.resolve("shared-x") == [
            "shared-x -> mapping 'shared-*' (pattern)",
            "  big-x on far (priority 1, weight 300 of 400)",
            "  x on near (priority 1, weight 100 of 400)",
            "  unknown, unless the backend tells: tools, thinking of big-x on far, x on near; "
            "`manage.py probe shared-x` asks",
            "  Through a pattern a name exists only if the backend lists it (not asked here).",
        ]

    def test_patterns_that_are_passed_over(self) -> None:
        far = Backend.objects.get(name="far")
        factories.mapping("*", far, model="*")
        factories.mapping("gp*", far, model="*")
        factories.mapping("gpt-4o*", far, model="*")
        factories.mapping("g*4o", far, enabled=False)
        assert self.resolve("gpt")[-2:] == [
            "  passed over: mapping 'gp*' (an exact name wins)",
            "  passed over: mapping '*' (an exact name wins)",
        ]
        assert [line for line in self.resolve("gpt-4o") if "mapping" in line] == [
            "gpt-4o -> mapping 'gp*' (pattern)",
            "  passed over: mapping 'gpt-4o*' (its star would stand for nothing, and name no target)",
            "  passed over: mapping '*' (it is less specific)",
            "  passed over: mapping 'g*4o' (it is disabled)",
        ]

    def test_nothing(self) -> None:
        assert self.resolve("claude") == ["error: claude leads nowhere: no mapping matches."]

    def test_a_disabled_mapping(self) -> None:
        assert self.resolve("hidden") == ["error: hidden leads nowhere: the mapping 'hidden' is disabled."]

    def test_nothing_but_disabled_targets(self) -> None:
        assert self.resolve("dead") == [
            "dead -> mapping 'dead' (exact name)",
            "  not used: dead on off (backend disabled)",
            "error: dead leads nowhere: no target of 'dead' can be used.",
        ]

    def test_a_backend_whose_keys_cannot_be_opened(self, change: Change) -> None:
        factories.mapping("locked", factories.backend("http://l/v1", "locked", api_key=API_KEY))
        change(credential_keys=("bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=",))
        assert self.resolve("locked")[1:] == [
            "  locked on locked (priority 1, weight 100) cannot be used: "
            "its API keys cannot be opened, or are for another server",
            "error: locked leads nowhere: no target of 'locked' can be used.",
        ]

    def test_for_a_team(self) -> None:
        factories.team("few", ("gpt",))
        factories.team("closed", enabled=False)
        assert self.resolve("gpt", "--team", "few")[-1] == "  The team few may use it."
        assert self.resolve("dead", "--team", "few")[-1] == "error: The team few may not use dead, only: gpt."
        assert self.resolve("gpt", "--team", "closed")[-1] == (
            "error: The team closed is disabled: it may use nothing."
        )
        assert self.resolve("gpt", "--team", "no")[-1] == (
            "error: There is no team 'no'. Known: closed, few, local."
        )
