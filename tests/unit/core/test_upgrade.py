"""Which copies of the database are kept."""

from pathlib import Path

import pytest

from core.upgrade import Copy, surplus


def named(*states: str) -> list[Copy]:
    return [
        Copy(Path(f"/data/db.backup-2026010{turn}T000000.000Z-{state}")) for turn, state in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("states", "gone"),
    [
        ([], []),
        (["a-1", "a-2", "a-3"], []),
        (["a-1", "a-2", "a-3", "a-4"], [0]),
        (["a-1", "a-1", "a-1", "a-1", "a-1"], [0, 1]),
        # An upgrade that ends halfway at each start: the copy from before it stays.
        (["a-1", "a-2", "a-2", "a-2"], [1]),
        (["a-1", "a-2", "a-2", "a-2", "a-2"], [1, 2]),
        (["a-1", "a-2", "a-3", "a-3"], [2]),
    ],
)
def test_the_last_three_stay_and_of_one_state_the_later_ones(states: list[str], gone: list[int]) -> None:
    kept = named(*states)
    assert surplus(kept) == [kept[turn] for turn in gone]


def test_a_copy_tells_its_state_by_its_name() -> None:
    assert named("accounts-0003-backends-0004")[0].state == "accounts-0003-backends-0004"
