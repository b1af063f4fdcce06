"""The conversation in `context` of /api/generate: there and back, bounded, and never taken for tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_api.ollama.carried_turns import LARGEST, MOST_TEXT_BYTES, Said, pack_turns, unpack_turns

TEXT = st.text(min_size=1)
ASKED = st.tuples(st.just("user"), TEXT)
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXT), max_size=5)


def roles_and_texts(numbers: list[int]) -> list[tuple[str, str]] | None:
    turns = unpack_turns(numbers)
    return None if turns is None else [(turn["role"], turn["content"]) for turn in turns]


@given(ASKED, TURNS, st.none() | TEXT)
def test_what_is_packed_comes_back(
    first: tuple[str, str], more: list[tuple[str, str]], system: str | None
) -> None:
    turns = [first, *more]
    if system is not None:
        turns.insert(0, ("system", system))
    numbers = pack_turns(turns)
    assert all(0 <= number < 2**31 for number in numbers)
    assert roles_and_texts(numbers) == turns


@given(st.lists(st.integers(-5, 2**40)))
def test_tokens_are_none_of_ours(numbers: list[int]) -> None:
    assert unpack_turns(numbers) is None


PACKED = pack_turns([("user", "My name is Ada."), ("assistant", "Hello, Ada.")])


@pytest.mark.parametrize("at", range(len(PACKED)))
@pytest.mark.parametrize("number", [0, 1, 65, -1, LARGEST, LARGEST + 1, 2**63])
def test_what_was_changed_is_not_read(at: int, number: int) -> None:
    changed = [*PACKED[:at], number, *PACKED[at + 1 :]]
    assert unpack_turns(changed) is None or changed == PACKED


def test_what_was_cut_or_grew_is_not_read() -> None:
    for numbers in [PACKED[:-1], [*PACKED, 0], [*PACKED, *PACKED], PACKED[1:], PACKED[:4], []]:
        assert unpack_turns(numbers) is None


def test_a_length_without_bound_costs_nothing() -> None:
    assert unpack_turns([*PACKED, *[0] * 10_000_000]) is None


HALF = "x" * (MOST_TEXT_BYTES // 2)


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        pytest.param([("user", HALF), ("assistant", "a"), ("user", HALF)], [2], id="the oldest go first"),
        pytest.param(
            [("system", "s"), ("user", HALF), ("assistant", "a"), ("user", HALF[:-9])],
            [0, 3],
            id="system stays",
        ),
        pytest.param([("user", HALF), ("assistant", HALF), ("user", "b")], [2], id="no answer comes first"),
        pytest.param([("user", "a"), ("assistant", HALF * 2)], [], id="an answer that fills all"),
        pytest.param([("user", HALF * 2)], [], id="a question that fills all"),
        pytest.param([("system", HALF * 2), ("user", "a")], [1], id="a system prompt that fills all"),
        pytest.param([("system", "s")], [], id="nothing was asked"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_what_does_not_fit_is_left_out(turns: list[tuple[str, str]], kept: list[int]) -> None:
    numbers = pack_turns(turns)
    assert (roles_and_texts(numbers) or []) == [turns[at] for at in kept]
    assert bool(numbers) is bool(kept)


def test_bytes_are_counted_and_not_characters() -> None:
    assert pack_turns([("user", "€" * (MOST_TEXT_BYTES // 2))]) == []


def test_many_small_turns_fit_within_the_bound() -> None:
    numbers = pack_turns([("user", "a")] * 100_000)
    turns = unpack_turns(numbers)
    assert turns is not None and len(turns) > 5000


def test_a_long_answer_is_not_kept() -> None:
    said = Said()
    for _ in range(3):
        said.add(HALF)
    assert said.text() is None
    said.add("x")
    assert said.text() is None
