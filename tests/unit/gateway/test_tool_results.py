"""Results of tools without an id, in bodies that pass, and names for backends that want them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.diagnostics import SILENT
from gateway.translate.raw_turns import fit_raw_turns, may_need_fitting
from gateway.translate.tool_results import bind_results, name_results

USER = {"role": "user", "content": "go"}


def calls(*names: str) -> dict[str, Any]:
    functions = [{"name": name, "arguments": "{}"} for name in names]
    made = [{"id": f"c{at}", "type": "function", "function": one} for at, one in enumerate(functions)]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(**fields: Any) -> dict[str, Any]:
    return {"role": "tool", "content": "r", **fields}


@given(st.permutations(range(5)), st.sampled_from(["name", "tool_name"]))
def test_results_in_any_order_reach_the_calls_of_their_names(order: list[int], member: str) -> None:
    turns = [calls(*"abcde"), *(result(**{member: "abcde"[at]}) for at in order)]
    assert [turn["tool_call_id"] for turn in bind_results(turns)[1:]] == [f"c{at}" for at in order]


@pytest.mark.parametrize(
    ("results", "bound"),
    [
        ([result(name="f"), result(name="f")], ["c0", "c2"]),
        ([result(), result(), result()], ["c0", "c1", "c2"]),
        ([result(tool_call_id="c2"), result(name="f"), result(name="f")], ["c2", "c0", "c1"]),
        ([result(tool_call_id=""), result(tool_call_id=None, name="g")], ["c0", "c1"]),
        ([result(), result(), result(), result()], ["c0", "c1", "c2", None]),
    ],
)
def test_an_id_counts_before_a_name_and_a_name_before_the_place(
    results: list[dict[str, Any]], bound: list[str | None]
) -> None:
    made = bind_results([calls("f", "g", "f"), *results])
    assert [turn.get("tool_call_id") for turn in made[1:]] == bound


@pytest.mark.parametrize(
    "odd",
    [None, [], [7], [{"function": {"name": "f"}}], [{"id": "", "function": {"name": "f"}}], [{"id": "c"}]],
)
def test_calls_that_are_none_bind_nothing(odd: Any) -> None:
    turns = [{"role": "assistant", "content": "", "tool_calls": odd}, result(name="f")]
    assert bind_results(turns) == turns
    assert name_results(turns) is turns


def test_names_are_those_of_the_calls_unless_they_are_said() -> None:
    turns = [calls("f", "g"), result(tool_call_id="c1"), result(tool_call_id="c0", name="own"), result()]
    assert [turn.get("name") for turn in name_results(turns)[1:]] == ["g", "own", None]
    assert [turn.get("name") for turn in turns[1:]] == [None, "own", None]


def test_bodies_with_every_id_are_not_looked_into() -> None:
    turns = [USER, calls("f"), result(tool_call_id="c0")]
    turns[1]["content"] = ""
    messages = json.dumps(turns).encode()
    assert not may_need_fitting(msgspec.Raw(messages), DIALECTS["openai"])
    assert may_need_fitting(msgspec.Raw(messages), DIALECTS["gemini"])
    raw = [msgspec.Raw(json.dumps(turn).encode()) for turn in turns]
    assert fit_raw_turns(raw, DIALECTS["openai"], SILENT) is raw
    assert msgspec.json.encode(fit_raw_turns(raw, DIALECTS["gemini"], SILENT)).endswith(b'"name":"f"}]')
