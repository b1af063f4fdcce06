"""In which order targets are tried."""

from collections import Counter
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backends.routing.balance import order
from backends.routing.snapshot import Target
from tests.golden.replay import target


def weighed(model: str, weight: int, priority: int = 1) -> Target:
    return msgspec.structs.replace(target(model=model), weight=weight, priority=priority)


def firsts(targets: list[Target], times: int = 4000) -> Counter[str]:
    rng = Random(11434)
    return Counter(order(targets, rng)[0].model for _ in range(times))


def test_shares_follow_the_weights() -> None:
    count = firsts([weighed("a", 100), weighed("b", 300)])
    assert abs(count["b"] / 4000 - 0.75) < 0.03


def test_the_second_try_follows_the_weights_too() -> None:
    rng = Random(11434)
    targets = [weighed("a", 1000), weighed("b", 100), weighed("c", 300)]
    seconds = Counter(
        tried[1].model for tried in (order(targets, rng) for _ in range(4000)) if tried[0].model == "a"
    )
    assert abs(seconds["c"] / seconds.total() - 0.75) < 0.04


def test_weight_0_comes_after_all_others_of_its_priority() -> None:
    targets = [weighed("spare", 0), weighed("a", 1), weighed("later", 1000, priority=2)]
    rng = Random(1)
    assert {tuple(found.model for found in order(targets, rng)) for _ in range(200)} == {
        ("a", "spare", "later")
    }


def test_a_lower_priority_number_is_always_first() -> None:
    assert firsts([weighed("b", 1000, priority=2), weighed("a", 1, priority=1)], 200) == {"a": 200}


def test_one_target_needs_no_dice() -> None:
    class NoDice(Random):
        def random(self) -> float:
            raise AssertionError("drawn")

    only = [weighed("a", 100)]
    assert order(only, NoDice()) == only
    assert order([], NoDice()) == []


TARGETS = st.lists(
    st.builds(weighed, st.sampled_from("abcdef"), st.integers(0, 1000), st.integers(1, 3)), max_size=8
)


@given(TARGETS, st.integers())
def test_every_target_is_tried_once_and_priorities_never_fall_back(targets: list[Target], seed: int) -> None:
    tried = order(targets, Random(seed))
    assert Counter(map(id, tried)) == Counter(map(id, targets))
    assert [found.priority for found in tried] == sorted(found.priority for found in targets)
