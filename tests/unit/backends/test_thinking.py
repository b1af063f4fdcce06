"""Thinking between tags, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.thinking import TAGS, TagSplitter


def split(*pieces: str, is_open: bool = False) -> tuple[str, str]:
    splitter = TagSplitter(is_open=is_open)
    found = [*(splitter.feed(piece) for piece in pieces), splitter.end()]
    return "".join(thinking for thinking, _ in found), "".join(text for _, text in found)


CLOSED = [
    ("<think>plan</think>answer", "plan", "answer"),
    ("<think>\n plan\n</think>\n\nanswer \n", "plan\n", "answer \n"),
    (" \n<think>plan</think>answer", "plan", "answer"),
    ("<think>\n\n</think>\n\nanswer", "", "answer"),
    ("<think></think>", "", ""),
    ("[THINK]plan[/THINK]answer", "plan", "answer"),
    ("<think>a</thinking></think>b", "a</thinking>", "b"),
    ("<think>a <think> b</think>c", "a <think> b", "c"),
    ("<think>never closed", "never closed", ""),
    ("<think>never closed</thi", "never closed</thi", ""),
    ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
    ("answer <think>no</think>", "", "answer <think>no</think>"),
    ("  answer", "", "  answer"),
    ("<thi", "", "<thi"),
    ("<thistle>", "", "<thistle>"),
    (" ", "", " "),
    ("a</think>b", "", "a</think>b"),
]
OPENED = [
    ("plan</think>\nanswer", "plan", "answer"),
    ("\nplan</think>answer", "plan", "answer"),
    ("<think>\nplan</think>answer", "plan", "answer"),
    ("plan[/THINK]answer</think>", "plan", "answer</think>"),
    ("everything was thinking", "everything was thinking", ""),
    ("<thi", "<thi", ""),
    ("</think>answer", "", "answer"),
]


@pytest.mark.parametrize(("text", "thinking", "rest"), CLOSED)
def test_tags(text: str, thinking: str, rest: str) -> None:
    assert split(text) == split(*text) == (thinking, rest)


@pytest.mark.parametrize(("text", "thinking", "rest"), OPENED)
def test_a_tag_that_the_template_opened(text: str, thinking: str, rest: str) -> None:
    assert split(text, is_open=True) == split(*text, is_open=True) == (thinking, rest)


@pytest.mark.parametrize(("opening", "closing"), TAGS.items())
def test_every_pair(opening: str, closing: str) -> None:
    text = f"{opening}plan{closing}answer"
    assert split(text) == split(*text) == ("plan", "answer")


PIECES = st.lists(st.sampled_from(["<think>", "</think>", "<", "th", "ink>", "[THINK]", "/", "a", " ", "\n"]))


@given(PIECES.map("".join), st.booleans(), st.data())
def test_any_cut_gives_the_same(text: str, is_open: bool, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    whole = split(text, is_open=is_open)
    assert split(text[:cut], text[cut:], is_open=is_open) == split(*text, is_open=is_open) == whole


def test_no_more_is_held_back_than_may_become_a_tag() -> None:
    splitter = TagSplitter()
    assert splitter.feed("<think>one two </th") == ("one two ", "")
    assert splitter.feed("ree") == ("</three", "")
    assert splitter.feed("</think>a<") == ("", "a<")
    assert splitter.is_over
