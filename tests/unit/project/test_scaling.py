"""Work grows as its input does: double the input costs at most 2.5 times as much.

The tables name every parser and translator, of what clients send and of what backends do.

Whoever adds one adds a line to a table; the cases stand in `tests/unit/project/scaling`.
"""

from collections import Counter

import pytest

from tests.unit.project.scaling import answers, requests, sending, wire
from tests.unit.project.scaling.measuring import MOST, Case, Work, growth

TABLES = {"read": requests, "send": sending, "wire": wire, "answer": answers}
CASES = {f"{table} {case.name}": case for table, module in TABLES.items() for case in module.CASES}


@pytest.mark.parametrize("name", CASES)
def test_double_the_input_costs_double(name: str) -> None:
    found = growth(CASES[name])
    assert found <= MOST, f"{name}: double the input costs {found:.1f} times as much"


def test_the_names_of_the_cases_differ() -> None:
    names = Counter(case.name for module in TABLES.values() for case in module.CASES)
    assert sum(names.values()) >= len(CASES) == sum(len(module.CASES) for module in TABLES.values())


def squares(size: int) -> Work:
    """Join a text anew with every piece, as nothing here may."""

    def run() -> None:
        whole = b""
        for _ in range(size):
            whole = whole + b"x" * 1000

    return run


def test_what_grows_with_the_square_is_found() -> None:
    assert growth(Case("squares", squares, 700)) > MOST
