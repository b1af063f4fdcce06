"""Former names of a profile's fields: read at every level, renamed once, and refused beside the new name."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.dialect import (
    OF_THE_BACKEND,
    Dialect,
    EmbedStyle,
    Fill,
    ModelSource,
    Prefill,
    ThinkStyle,
    override_profile,
)
from backends.wire.dialects import DIALECTS
from backends.wire.profile_names import RENAMED, RESTORED, describe_old_names, list_old_names, rename_profile
from backends.wire.reading import Reading
from tests.support.old_profile import NEW, OLD, PER_MODEL

GENERIC = DIALECTS["generic"]
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "": Dialect,
    "think": ThinkStyle,
    "infill": Fill,
    "prefill": Prefill,
    "embeddings": EmbedStyle,
    "metadata_sources": ModelSource,
    "response_parsing": Reading,
}
TOP = [name for name in RENAMED if "." not in name]
FIELDS = st.sampled_from(
    [*RENAMED, *RENAMED.values(), *(name.split(".")[-1] for name in RENAMED), "per_model"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(FIELDS | st.text(max_size=5), JSON, max_size=6)
PARTS = st.dictionaries(st.text(max_size=5), OBJECTS | JSON, max_size=3)
PROFILES = st.builds(lambda fields, parts: {**fields, "per_model": parts}, OBJECTS, PARTS) | OBJECTS | JSON


def known_fields(struct: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(struct)}


def test_every_new_name_is_a_field_and_no_old_one_is() -> None:
    for old, new in RENAMED.items():
        outer, _, inner = new.rpartition(".")
        assert inner in known_fields(STRUCTS[outer])
        assert old.rpartition(".")[2] not in known_fields(STRUCTS[outer])
        assert RENAMED.get(old.rpartition(".")[0], old.rpartition(".")[0]) == outer


def test_no_two_fields_had_one_name_or_get_one() -> None:
    assert len(RESTORED) == len(RENAMED)
    assert not RENAMED.keys() & RESTORED.keys()


def test_the_example_has_every_old_name() -> None:
    inner = {f"{outer}.{name}" for outer in OLD if isinstance(OLD[outer], dict) for name in OLD[outer]}
    assert set(RENAMED) <= OLD.keys() | inner


def test_every_old_name_is_renamed_at_every_level() -> None:
    assert rename_profile(OLD) == NEW
    assert rename_profile(NEW) == NEW
    assert rename_profile(NEW, RESTORED) == OLD


def test_a_profile_that_is_renamed_is_not_changed_itself() -> None:
    before = msgspec.json.encode(OLD)
    rename_profile(OLD)
    assert msgspec.json.encode(OLD) == before


@pytest.mark.parametrize("old", TOP)
def test_each_old_name_alone_is_in_force(old: str) -> None:
    found = override_profile(GENERIC, {old: OLD[old]})
    assert found == override_profile(GENERIC, {RENAMED[old]: NEW[RENAMED[old]]})
    assert found != GENERIC


@pytest.mark.parametrize("old", [old for old in TOP if RENAMED[old] not in OF_THE_BACKEND])
def test_each_old_name_is_in_force_for_some_models(old: str) -> None:
    found = override_profile(GENERIC, {"per_model": {"q": {old: OLD[old]}}})
    assert found.per_model == {"q": {RENAMED[old]: NEW[RENAMED[old]]}}


def test_an_object_under_its_new_name_may_hold_old_ones() -> None:
    assert rename_profile({"embeddings": {"batch": 3}}) == {"embeddings": {"batch_size": 3}}
    assert rename_profile({"embed": {"batch_size": 3}}) == {"embeddings": {"batch_size": 3}}
    assert rename_profile({"fill": None}) == {"infill": None}


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        *(({old: OLD[old], RENAMED[old]: OLD[old]}, (old, RENAMED[old])) for old in TOP),
        ({"fill": {"answer": "infill", "response_shape": "infill"}}, ("answer", "response_shape")),
        ({"reading": {"tags": "open", "reasoning_tags": "open"}}, ("tags", "reasoning_tags")),
        ({"per_model": {"q": {"drops": [], "drop_params": []}}}, ("per_model: 'q'", "drops", "drop_params")),
        ({"per_model": {"q": {"embed": {"batch": 1, "batch_size": 1}}}}, ("q", "batch", "batch_size")),
    ],
)
def test_both_names_of_a_field_are_refused_and_named(profile: dict[str, Any], names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one field") as refused:
        override_profile(GENERIC, profile)
    assert all(re.search(rf"\b{re.escape(name)}", str(refused.value)) for name in names)


def test_old_names_are_told_with_their_place() -> None:
    assert list_old_names({"fill": {"answer": "choices"}, "max_tokens": "n"}) == [
        ("fill", "infill"),
        ("fill.answer", "response_shape"),
    ]
    assert describe_old_names({"per_model": {"^q": {"drops": []}}}) == [
        "per_model.^q.drops is now called drop_params."
    ]
    assert {place for place, _ in list_old_names({"per_model": {"q": PER_MODEL}})} == {
        *("per_model.q.drops", "per_model.q.drops_thinking", "per_model.q.embed", "per_model.q.embed.batch"),
        *("per_model.q.embed.normalised", "per_model.q.fill", "per_model.q.fill.answer"),
        *("per_model.q.reading", "per_model.q.reading.tags", "per_model.q.reading.counts"),
    }
    assert list_old_names(NEW) == list_old_names(None) == list_old_names([OLD]) == []


@given(PROFILES)
def test_renaming_twice_is_renaming_once_whatever_it_is(profile: Any) -> None:
    try:
        renamed = rename_profile(profile)
    except ValueError as error:
        assert "one field" in str(error)
        return
    assert rename_profile(renamed) == renamed
    assert list_old_names(renamed) == []
    assert (renamed == profile) is not bool(list_old_names(profile))
