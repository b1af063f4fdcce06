"""System turns behind the beginning: where they stay, and what they become."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.diagnostics import SILENT
from gateway.translate.raw_turns import fit_raw_turns, may_need_fitting
from gateway.translate.system_turns import count_leading, list_texts, mark_late_system_turns

CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
TEXT = st.text("abc", min_size=1, max_size=3)
CONTENT = TEXT | st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT), min_size=1, max_size=2
)
TURN = st.one_of(
    st.builds(
        lambda role, said: [{"role": role, "content": said}],
        st.sampled_from(["system", "user", "developer"]),
        CONTENT,
    ),
    st.builds(lambda said: [{"role": "assistant", "content": said}], TEXT),
    st.builds(
        lambda said, late: [
            {"role": "assistant", "content": "", "tool_calls": CALLS},
            *[{"role": "system", "content": "z"}] * late,
            {"role": "tool", "tool_call_id": "c", "content": said},
        ],
        TEXT,
        st.integers(0, 1),
    ),
)
TURNS = st.lists(TURN, max_size=8).map(lambda groups: [turn for group in groups for turn in group])


def words(turns: list[dict[str, Any]]) -> list[str]:
    """List what is said, without the marks; where a turn waits for a result, the order is another one."""
    texts = [text for turn in turns for text in list_texts(turn["content"])]
    return sorted("".join(texts).replace("<system>", "").replace("</system>", "").replace("\n", ""))


@given(TURNS)
def test_they_are_the_users_nothing_is_lost_and_results_stay_with_their_calls(
    turns: list[dict[str, Any]],
) -> None:
    made = mark_late_system_turns(turns)
    first = count_leading(made)
    assert made[:first] == turns[:first], "those at the beginning stay as they are"
    assert all(turn["role"] not in ("system", "developer") for turn in made[first:])
    assert words(made) == words(turns)
    for place, turn in enumerate(made):
        if "tool_calls" in turn:
            assert made[place + 1]["role"] == "tool"


@given(TURNS, TURNS)
def test_what_was_said_before_stays_as_it_is_when_more_is_said(
    turns: list[dict[str, Any]], more: list[dict[str, Any]]
) -> None:
    """So the prompt cache of a backend holds."""
    turns = [{"role": "user", "content": "u"}, *turns, {"role": "assistant", "content": "a"}]
    made = mark_late_system_turns(turns)
    assert mark_late_system_turns([*turns, *more])[: len(made)] == made


def test_roles_alternate_where_they_did_before() -> None:
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "s"},
        {"role": "assistant", "content": "a"},
        {"role": "system", "content": "t"},
        {"role": "user", "content": "go", "name": "n"},
    ]
    assert mark_late_system_turns(turns) == [
        {"role": "user", "content": "hi\n\n<system>\ns\n</system>"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "<system>\nt\n</system>\n\ngo", "name": "n"},
    ]


@pytest.mark.parametrize(
    ("messages", "looks"),
    [
        (b'[{"role":"system","content":"S"},{"role":"user","content":"a \\"system\\" b"}]', False),
        (b'[{"role":"user","content":"hi"}]', False),
        (b'[{"role":"user","content":"hi"},{"role":"system","content":"S"}]', True),
        (b'[{"role":"system","content":"S"},{"role":"system","content":"T"}]', True),
        (b'[{"role":"developer","content":"S"}]', False),
    ],
)
def test_a_body_that_passes_is_looked_into_only_where_it_has_to_be(messages: bytes, looks: bool) -> None:
    assert may_need_fitting(msgspec.Raw(messages), DIALECTS["vllm"]) is looks
    assert not may_need_fitting(msgspec.Raw(messages), DIALECTS["openai"])


def test_turns_that_are_not_touched_stay_the_bytes_that_they_were() -> None:
    first = b'{"role": "assistant",  "content": "a", "big": 123456789012345678901234567890}'
    turns = [msgspec.Raw(first), msgspec.Raw(b'{"role":"system","content":"s"}')]
    made = fit_raw_turns(turns, DIALECTS["vllm"], SILENT)
    assert bytes(made[0]) == first
    assert made[1] == {"role": "user", "content": "<system>\ns\n</system>"}


@pytest.mark.parametrize("odd", [b"7", b'{"role":5}', b"{}", b'{"role":"\\ud800"}', b"null"])
def test_what_is_no_turn_is_the_backends_to_refuse(odd: bytes) -> None:
    turns = [
        msgspec.Raw(odd),
        msgspec.Raw(b'{"role":"user","content":"u"}'),
        msgspec.Raw(b'{"role":"system","content":"s"}'),
    ]
    assert fit_raw_turns(turns, DIALECTS["vllm"], SILENT) is turns


@pytest.mark.parametrize(
    ("turn", "looks"),
    [
        (b'{"role":"assistant","content":null}', True),
        (b'{"role":"assistant"}', True),
        (b'{"role":"assistant","content":null,"tool_calls":[]}', True),
        (b'{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]}', False),
        (b'{"role":"assistant","content":null,"refusal":"no"}', False),
        (b'{"role":"user","content":[{"type":"image_url","image_url" : "data:,"}]}', True),
        (b'{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}', False),
        (b'{"role":"tool","tool_call_id":"c","content":"r"}', False),
        (b'{"role":"tool","name":"f","content":"r"}', True),
        (b'{"role":"user","content":"\\"content\\": null"}', False),
        (b'{"role":null}', False),
        (b"7", False),
    ],
)
def test_short_forms_are_looked_for_before_anything_is_decoded(turn: bytes, looks: bool) -> None:
    assert may_need_fitting(msgspec.Raw(b"[%b]" % turn), DIALECTS["openai"]) is looks
    assert not may_need_fitting(msgspec.Raw(b"[%b]" % turn), DIALECTS["ollama"])
