"""Whose word counts: the operator's, then a probe's, the backend's, the table's, the name's."""

from typing import Any

import pytest

from backends.routing.knowledge import (
    THINKING,
    Fact,
    Figure,
    abilities,
    context_length,
    embedding_length,
    last_part,
)
from backends.routing.snapshot import MappingRules, ProbeResults, Target, Upstream, note_inabilities
from backends.wire.dialects import DIALECTS
from backends.wire.model_cards import CAPABILITIES, ModelCard
from gateway.errors import BadRequest
from gateway.translate import completions
from ollama_api.ollama import chat, generate
from ollama_api.ollama.types import ChatRequest, GenerateRequest, Message
from tests.golden import replay
from tests.golden.replay import rule


def target(model: str = "house-model", dialect: str = "generic", **probed: Any) -> Target:
    there = Upstream(
        1, "there", "http://there/v1", DIALECTS[dialect], probe_results={model: ProbeResults(**probed)}
    )
    return Target(there, model)


def facts(to: Target, card: ModelCard | None = None, **fields: Any) -> dict[str, Fact]:
    return abilities(rule(to, **fields), to, card)


def can(found: dict[str, Fact]) -> list[str]:
    return [word for word, fact in found.items() if fact.can]


class TestTheOrderOfTruth:
    def test_each_outranks_the_next(self) -> None:
        named = target("llava-house")
        assert facts(named)["vision"] == Fact(True, "name")
        assert facts(named)["tools"] == Fact(True, "assumed")
        card = ModelCard("llava-house", flags={"vision": False, "tools": False})
        assert facts(named, card)["vision"] == Fact(False, "backend")
        probed = target("llava-house", can={"vision": True})
        assert facts(probed, card)["vision"] == Fact(True, "probe")
        assert facts(probed, card)["tools"] == Fact(False, "backend")
        told = facts(probed, card, capabilities=("completion", "tools"))
        assert told["vision"] == Fact(False, "operator")
        assert told["tools"] == Fact(True, "operator")

    def test_every_ability_has_an_answer(self) -> None:
        assert tuple(facts(target())) == CAPABILITIES

    def test_what_only_a_probe_tells_is_not_shown_as_an_ability(self) -> None:
        assert "schema" not in facts(target(can={"schema": True, "streamed tools": True}))

    def test_what_chats_is_not_shown_as_an_embedder_though_it_embeds(self) -> None:
        both = target(can={"completion": True, "embedding": True}, embedding_length=640)
        assert can(facts(both)) == ["completion", "tools"]
        assert embedding_length(both, None) == Figure(640, "probe")

    def test_what_does_not_chat_has_no_tools_and_no_eyes(self) -> None:
        mute = target("llava-thinking", can={"completion": False, "embedding": True})
        assert can(facts(mute)) == ["embedding"]

    def test_a_way_to_fill_in_that_one_model_has_is_an_ability(self) -> None:
        assert "insert" in can(facts(target("codestral-latest", "mistral")))
        assert "insert" not in can(facts(target("mistral-large", "mistral")))
        assert "insert" not in can(facts(target("any", "llamacpp")))

    def test_the_context_length(self) -> None:
        to = target()
        card = ModelCard("m", context_length=4096)
        assert context_length(rule(to, context_length=1), card) == Figure(1, "operator")
        assert context_length(rule(to), card) == Figure(4096, "backend")
        filled = ModelCard("m", context_length=8192, from_table=("context_length",))
        assert context_length(rule(to), filled) == Figure(8192, "table")
        assert context_length(rule(to), None) is None


class TestWhatIsRefused:
    TOOL = {"type": "function", "function": {"name": "f"}}  # noqa: RUF012

    def ask(self, probed: MappingRules, **fields: Any) -> None:
        replay.check(chat.API, ChatRequest(model="m", messages=[Message("user", "hi")], **fields), probed)

    def lacking(self, *lists: list[str], **fields: Any) -> MappingRules:
        targets = tuple(target(f"m{n}", can=dict.fromkeys(words, False)) for n, words in enumerate(lists))
        return note_inabilities(rule(*targets, **fields), targets)

    def test_a_probes_no_is_ollamas_own_refusal(self) -> None:
        with pytest.raises(
            BadRequest, match=r"^registry\.ollama\.ai/library/m:latest does not support tools$"
        ):
            self.ask(self.lacking(["tools"]), tools=[self.TOOL])
        with pytest.raises(BadRequest, match=r'^"m" does not support thinking$'):
            self.ask(self.lacking(["thinking"]), think=True)
        with pytest.raises(BadRequest, match=r'^"m" does not support chat$'):
            self.ask(self.lacking(["completion"]))

    def test_a_guess_refuses_nothing(self) -> None:
        self.ask(self.lacking([]), tools=[self.TOOL], think=True)

    def test_what_one_of_several_targets_can_is_not_refused(self) -> None:
        self.ask(self.lacking(["tools"], []), tools=[self.TOOL])
        with pytest.raises(BadRequest):
            self.ask(self.lacking(["tools", "thinking"], ["tools"]), tools=[self.TOOL])

    def test_the_operators_word_outranks_a_probe(self) -> None:
        self.ask(self.lacking(["tools"], capabilities=("completion", "tools")), tools=[self.TOOL])

    def test_a_rule_without_targets_refuses_nothing(self) -> None:
        assert note_inabilities(MappingRules("m", ()), ()).lacks == frozenset()


class TestInsert:
    CALL = GenerateRequest(model="m", prompt="a", suffix="b")

    def test_a_probe_opens_and_closes_the_way(self) -> None:
        proven = target(can={"insert": True})
        assert completions.find_infill(proven, rule(proven)) == completions.ANY_SUFFIX
        assert completions.find_infill(target(), rule()) is None
        disproven = target(dialect="llamacpp", can={"insert": False})
        assert completions.find_infill(disproven, rule(disproven)) is None
        assert completions.find_infill(disproven, rule(disproven, capabilities=("insert",))) is not None
        with pytest.raises(BadRequest, match="does not support insert"):
            replay.check(generate.API, self.CALL, note_inabilities(rule(disproven), (disproven,)))


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("claude-3-7-sonnet-20250219", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-opus-4-1", True),
        ("claude-3-5-sonnet-20241022", False),
        ("nvidia/llama-3.3-nemotron-super-49b-v1.5", True),
        ("nvidia/llama-3.1-nemotron-70b-instruct", False),
    ],
)
def test_a_name_tells_who_thinks(model: str, thinks: bool) -> None:
    assert (THINKING.search(last_part(model)) is not None) == thinks
