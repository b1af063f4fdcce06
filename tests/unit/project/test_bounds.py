"""Nothing that a process keeps may grow without a bound: what modules hold is found, and each is known."""

from functools import cache
from types import ModuleType

import pytest

from tests.support import held
from tests.support.bounds import BOUNDS
from tests.support.held import Bound

MODULES = held.modules()
HELD = held.everything(MODULES)
GROWN = held.grown_names(MODULES)
LARGEST_CACHE = 4096


def test_all_that_may_grow_has_a_bound() -> None:
    assert held.unknown(HELD, GROWN, BOUNDS) == []


def test_caches_are_small() -> None:
    sizes = {one.place: one.found.cache_parameters()["maxsize"] or 0 for one in HELD if one.is_cache}
    assert {place: size for place, size in sizes.items() if size > LARGEST_CACHE} == {}


def test_the_table_names_what_there_is() -> None:
    places = {one.place for one in HELD}
    assert [place for place in BOUNDS if "[]" not in place and place not in places] == []


def test_nothing_is_over_its_bound() -> None:
    assert [one.place for one in HELD if one.place in BOUNDS and one.size > BOUNDS[one.place].most] == []


PLANTED = """
from functools import lru_cache, cache

CONSTANT = {"a": 1}
_seen = {}

class Registry:
    kinds = []

    def __init__(self):
        self.names = set()
        self.fixed = {"b"}

    def note(self, name):
        _seen[name] = True
        self.names.add(name)
        self.kinds.append(name)
        CONSTANT_OF_ITS_OWN = {}
        CONSTANT_OF_ITS_OWN[name] = CONSTANT[name]

registry = Registry()
registry_by_kind = {"one": registry}
@cache
def looked_up(name):
    return name

@lru_cache(maxsize=8)
def looked_up_a_little(name):
    return name
"""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module as somebody may write it tomorrow."""
    module = ModuleType("usage.planted")
    exec(PLANTED, vars(module))
    monkeypatch.setattr("inspect.getsource", lambda _: PLANTED)
    return module


def test_a_new_one_without_a_bound_is_found(planted: ModuleType) -> None:
    found = held.everything([planted])
    told = held.unknown(found, held.grown_names([planted]), {})
    assert sorted(sentence.partition(" ")[0] for sentence in told) == [
        "usage.planted:Registry.kinds",
        "usage.planted:_seen",
        "usage.planted:looked_up",
        "usage.planted:registry.names",
    ]
    assert all("a line in tests/support/bounds.py" in sentence for sentence in told)
    known = {sentence.partition(" ")[0]: Bound(1, "") for sentence in told}
    assert held.unknown(found, held.grown_names([planted]), known) == []


def test_a_cache_tells_its_size() -> None:
    @cache
    def looked_up(name: str) -> str:
        return name

    looked_up("a")
    assert held.Held("x:y", "y", "x", looked_up).size == 1
