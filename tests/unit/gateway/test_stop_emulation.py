"""Stop strings that are not sent end the answer here, wherever its chunks are cut."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.routing.snapshot import MappingRules
from backends.wire.dialects import DIALECTS
from backends.wire.openai_types import Choice, Delta, Reply, Usage
from gateway.diagnostics import Diagnostics
from gateway.translate.options import merge_options
from gateway.translate.stop_emulation import (
    LONGEST_STOP,
    MOST_STOPS,
    StopScanner,
    cut_at_stop,
    list_unsent_stops,
)

RULE = MappingRules("m", ())
FEW = st.text("ab", max_size=12)
WORDS = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3)


def chunk(text: str, finish: str | None = None) -> Reply:
    return Reply(choices=[Choice(delta=Delta(content=text), finish_reason=finish)])


def text_of(replies: list[Reply]) -> str:
    parts = [reply.choices[0] for reply in replies if reply.choices]
    return "".join(str((part.delta.content if part.delta else part.text) or "") for part in parts)


def cut(pieces: list[str], stops: list[str], finish: str | None = "length") -> tuple[str, bool, list[Reply]]:
    """Feed pieces one by one; give what is shown, whether a word ended it, and the chunks."""
    cutter, shown = StopScanner(stops), []
    chunks = [chunk(piece) for piece in pieces] + ([chunk("", finish)] if finish else [])
    for one in chunks:
        shown += cutter.feed([one])
        if cutter.is_over:
            break
    else:
        shown += cutter.rest()
    return text_of(shown), cutter.is_over, shown


def expected(text: str, stops: list[str]) -> str | None:
    """Read letter by letter, as a server does that generates them; None when nothing ends it."""
    for end in range(1, len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            return text[: end - max(map(len, ending))]
    return None


@given(st.lists(FEW, max_size=6), WORDS, st.sampled_from(["stop", None]))
@example(["a", "ab", "b"], ["abb"], "stop")
@example(["aab"], ["aabb", "ab"], None)
def test_the_cut_does_not_depend_on_the_chunks(
    pieces: list[str], stops: list[str], finish: str | None
) -> None:
    text = "".join(pieces)
    wanted = expected(text, stops)
    shown, is_over, _ = cut(pieces, stops, finish)
    assert (shown, is_over) == (text if wanted is None else wanted, wanted is not None)


def test_only_what_may_begin_a_word_is_held_back() -> None:
    cutter = StopScanner(["END"])
    assert [text_of(cutter.feed([chunk(piece)])) for piece in ("on ", "E", "N", "ough", " E")] == [
        "on ",
        "",
        "",
        "ENough",
        " ",
    ]
    assert text_of(cutter.rest()) == "E"
    assert cutter.rest() == []


def test_the_end_is_a_stop_and_its_tokens_are_counted_by_chunks() -> None:
    _, _, replies = cut(["one ", "two ", "END three"], ["END"])
    assert replies[-1].choices is not None
    assert replies[-1].choices[0].finish_reason == "stop"
    assert replies[-1].usage == Usage(prompt_tokens=0, completion_tokens=3)


def test_counts_that_came_already_stand() -> None:
    cutter = StopScanner(["END"])
    first = chunk("a")
    first.usage = Usage(prompt_tokens=7, completion_tokens=1)
    (_, last) = cutter.feed([first, chunk("END")])
    assert last.usage is None


@pytest.mark.parametrize(
    "choice",
    [
        Choice(message=Delta(content="an END of it"), finish_reason="length"),
        Choice(text="an END of it", finish_reason="length"),
    ],
    ids=["a chat", "a completion"],
)
def test_a_whole_answer_is_cut_and_keeps_its_counts(choice: Choice) -> None:
    usage = Usage(prompt_tokens=1, completion_tokens=4)
    reply = Reply(choices=[choice], usage=usage)
    cut_at_stop(reply, ["END"])
    assert (choice.message.content if choice.message else choice.text) == "an "
    assert (choice.finish_reason, reply.usage) == ("stop", usage)


def test_chunks_without_text_pass() -> None:
    counts = Reply(usage=Usage(prompt_tokens=1, completion_tokens=1))
    thought = Reply(choices=[Choice(delta=Delta(reasoning_content="END"))])
    cutter = StopScanner(["END"])
    assert cutter.feed([counts, thought, Reply(choices=[Choice()])])[:2] == [counts, thought]
    assert not cutter.is_over


@pytest.mark.parametrize(
    ("given", "rule", "body", "looked_for"),
    [
        ({}, RULE, {}, []),
        ({"stop": ["a", "b", ""]}, RULE, {"stop": ["a"]}, ["b"]),
        ({"stop": ["a"]}, RULE, {}, ["a"]),
        ({}, MappingRules("m", (), options={"stop": ["a"]}), {}, ["a"]),
        ({"stop": ["a"]}, MappingRules("m", (), forced_options={"stop": ["b"]}), {"stop": ["b"]}, []),
        ({"stop": None}, MappingRules("m", (), options={"stop": ["a"]}), {"stop": ["a"]}, []),
    ],
)
def test_what_did_not_go_into_the_body_is_looked_for(
    given: dict[str, Any], rule: MappingRules, body: dict[str, Any], looked_for: list[str]
) -> None:
    options = merge_options(rule.options, given, rule.forced_options)
    assert list_unsent_stops(options, DIALECTS["generic"], body) == looked_for


def test_what_is_looked_for_is_bounded_and_the_trace_tells() -> None:
    diagnostics = Diagnostics()
    stops = [f"stop {number}" for number in range(MOST_STOPS + 1)] + ["x" * (LONGEST_STOP + 1)]
    assert list_unsent_stops({"stop": stops}, DIALECTS["generic"], {}, diagnostics) == stops[:MOST_STOPS]
    assert [(note.verdict, note.why) for note in diagnostics.taken] == [
        ("changed", "64 not sent: looked for in the answer here"),
        ("dropped", "not looked for beyond 64 strings or 1024 characters"),
    ]
