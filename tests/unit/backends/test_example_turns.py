"""Example turns as people write them, and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import example_turns

HELLO = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]

READ: dict[str, tuple[str, list[example_turns.Turn]]] = {
    "nothing": ("", []),
    "blank lines": (" \n\n", []),
    "one turn a line": ("user: Hello\nassistant: Hi", HELLO),
    "blank lines between": ("\nuser: Hello\n\n\nassistant: Hi\n\n", HELLO),
    "as browsers send it": ("user: Hello\r\n\r\nassistant: Hi\r\n", HELLO),
    "in any case, with any space": ("User:Hello\nASSISTANT:   Hi  ", HELLO),
    "text below its role": ("user:\nHello\nassistant:\n\nHi", HELLO),
    "several lines": (
        "system: Be terse.\nuser: a\n\n  b: c\nuserland: d",
        [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "a\n\n  b: c\nuserland: d"}],
    ),
    "indented from the first line on": ("user:\n    a\n  b", [{"role": "user", "content": "    a\n  b"}]),
    "a role inside a line": ("user: the user: me", [{"role": "user", "content": "the user: me"}]),
    "JSON": (
        ' [{"role": "user", "content": "user: a\\nuser: b"}]',
        [{"role": "user", "content": "user: a\nuser: b"}],
    ),
    "JSON of nothing": ("[]", []),
    "JSON with an empty turn": ('[{"role": "user", "content": ""}]', [{"role": "user", "content": ""}]),
}
WANTED = "begin each turn with its role: system:, user:, assistant:."
UNREADABLE = {
    "no role": ("Hello", f"Line 1: {WANTED}"),
    "a role that is none": ("\nbot: Hello", f"Line 2: {WANTED}"),
    "an indented role": ("  user: Hello", f"Line 1: {WANTED}"),
    "no text": ("user: a\nassistant:\n \nuser: b", "Turn 2 (assistant) has no text."),
    "no text at the end": ("user: a\nassistant: ", "Turn 2 (assistant) has no text."),
    "a zero byte": ("user: a\0b", "Turn 1 holds a character that cannot be stored."),
    "not JSON": ('[{"role":\n user}]', "This is not JSON: Expecting value (line 2, column 2)."),
    "too deep": ("[" * 200_000, "This is nested too deeply."),
    "one object": (
        '{"role": "user"}',
        'Give a list of turns: [{"role": "user", "content": "..."}, ...].',
    ),
    "text in the list": ('["user"]', "Turn 1 must have a role and a content, and nothing else."),
    "no content": ('[{"role": "user"}]', "Turn 1 must have a role and a content, and nothing else."),
    "more than that": (
        '[{"role": "user", "content": "a", "images": []}]',
        "Turn 1 must have a role and a content, and nothing else.",
    ),
    "another role": (
        '[{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]',
        "Turn 2 must have one of the roles system, user or assistant.",
    ),
    "a list for a role": (
        '[{"role": ["user"], "content": "a"}]',
        "Turn 1 must have one of the roles system, user or assistant.",
    ),
    "a number for content": ('[{"role": "user", "content": 1}]', "Turn 1 must have text as its content."),
    "half a character": (
        '[{"role": "user", "content": "\\ud800"}]',
        "Turn 1 holds a character that cannot be stored.",
    ),
}


@pytest.mark.parametrize(("text", "meant"), READ.values(), ids=READ.keys())
def test_blocks_and_json_are_read(text: str, meant: list[example_turns.Turn]) -> None:
    assert example_turns.read(text) == meant


@pytest.mark.parametrize(("text", "told"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(example_turns.TurnsUnreadable) as caught:
        example_turns.read(text)
    assert str(caught.value) == told


def test_people_get_blocks_wherever_these_can_say_it() -> None:
    assert example_turns.write([]) == ""
    assert example_turns.write(HELLO) == "user: Hello\n\nassistant: Hi"
    assert example_turns.write([{"role": "user", "content": "a\n\nb"}]) == "user: a\n\nb"
    assert example_turns.write([{"role": "user", "content": "a\nUser: b"}]).startswith("[")
    assert example_turns.write([{"role": "user", "content": " a"}]).startswith("[")


CONTENT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LINES = st.lists(st.sampled_from(["user:", "Assistant: ", "", " ", "a", "b: c", "\r", "[", "\u2028"])).map(
    "\n".join
)
TURNS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(example_turns.ROLES), "content": CONTENT | LINES}),
    max_size=4,
)


@given(TURNS)
def test_what_is_written_is_read_back_unchanged(given_turns: list[example_turns.Turn]) -> None:
    assert example_turns.read(example_turns.write(given_turns)) == given_turns
    assert example_turns.read(example_turns.write(given_turns).replace("\n", "\r\n")) == given_turns


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    value: Any
    try:
        value = example_turns.read(text)
    except example_turns.TurnsUnreadable as reason:
        assert str(reason).endswith(".")
    else:
        assert example_turns.fault(value) == ""
