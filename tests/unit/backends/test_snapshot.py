"""The routing table of one revision."""

import pytest

from backends.routing.snapshot import MappingRules, RoutingSnapshot, Target
from tests.golden.replay import rule, target


def snapshot(*rules: MappingRules) -> RoutingSnapshot:
    return RoutingSnapshot(1, [target().upstream], rules)


def models(found: RoutingSnapshot, name: str) -> list[str] | None:
    route = found.resolve(name)
    return None if route is None else [target.model for target in route.targets]


TABLE = snapshot(
    rule(target(model="everything/*"), name="*"),
    rule(target(model="qwen-*"), name="qwen*"),
    rule(target(model="the-coder"), name="qwen3-coder*"),
    rule(target(model="exactly-this"), target(model="or-that"), name="Qwen3-Coder:30b"),
    MappingRules(name="nowhere", targets=()),
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qwen3-coder:30b", ["exactly-this", "or-that"]),
        (" QWEN3-CODER:30B ", ["exactly-this", "or-that"]),
        ("qwen3-coder:480b", ["the-coder"]),
        ("Qwen3:8B", ["qwen-3:8B"]),
        ("qwen3:latest", ["qwen-3"]),
        ("Llama", ["everything/Llama"]),
        ("nowhere", []),
    ],
)
def test_exact_names_win_then_the_longest_pattern(name: str, expected: list[str]) -> None:
    assert models(TABLE, name) == expected


def test_an_unknown_name_has_no_route() -> None:
    assert snapshot(rule(name="plain"), rule(name="qwen*")).resolve("llama") is None
    assert snapshot().resolve("llama") is None


def test_name_and_name_latest_are_one_model_and_other_tags_are_not() -> None:
    table = snapshot(rule(name="plain:latest"))
    assert models(table, "plain") == models(table, "PLAIN:latest") == ["backend-model"]
    assert models(table, "plain:other") is None


def test_the_route_names_the_alias_canonically_and_keeps_its_rule() -> None:
    route = TABLE.resolve(" Qwen3:LATEST ")
    assert route is not None
    assert route.alias == "qwen3"
    assert route.rule.is_wildcard
    assert route.rule.targets[0].model == "qwen-*", "the rule itself stays as the operator wrote it"


def test_of_equally_long_patterns_the_first_wins() -> None:
    table = snapshot(rule(target(model="first"), name="a*c"), rule(target(model="second"), name="ab*"))
    assert models(table, "abc") == ["first"]


GPT = snapshot(
    rule(target(model="anything/*"), name="*"),
    rule(target(model="*"), name="gpt-4*"),
    rule(target(model="*"), target(model="o-*"), target(model="fixed"), name="gpt-4o*"),
    rule(target(model="*"), name="nameless*"),
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o", ["o-", "fixed"]),
        ("GPT-4o:latest", ["o-", "fixed"]),
        ("gpt-4o-mini", ["-mini", "o--mini", "fixed"]),
        ("gpt-4", ["anything/gpt-4"]),
        ("nameless", ["anything/nameless"]),
        ("nameless-2", ["-2"]),
    ],
)
def test_a_star_stands_for_nothing_too_but_never_leaves_a_target_without_a_name(
    name: str, expected: list[str]
) -> None:
    assert models(GPT, name) == expected


def test_every_pattern_that_a_name_matches_is_told_the_most_specific_first() -> None:
    assert [one.name for one in GPT.list_matching_patterns("gpt-4o")] == ["gpt-4o*", "gpt-4*", "*"]
    assert [one.name for one in GPT.list_matching_patterns("llama")] == ["*"]


def test_a_backend_with_keys_that_cannot_be_opened_is_locked_out() -> None:
    assert target(unreadable=1).upstream.is_locked_out
    assert not target(unreadable=1, secrets=("readable",)).upstream.is_locked_out
    assert not target().upstream.is_locked_out


def test_no_text_form_of_an_upstream_shows_its_secret() -> None:
    found: Target = target(secrets=("sk-secret-of-ours",))
    for text in (
        repr(found),
        str(found),
        repr(found.upstream),
        f"{found.upstream}",
        repr(TABLE.resolve("x")),
    ):
        assert "sk-secret" not in text
    assert "1 keys" in repr(found.upstream)
