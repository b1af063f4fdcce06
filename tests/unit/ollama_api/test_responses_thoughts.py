"""Thinking in `encrypted_content`: ours and an Ollama's is read, what others sealed is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_api.responses.thoughts import MARK, read_thinking, write_thinking


@given(st.text())
def test_ours_comes_back(text: str) -> None:
    assert read_thinking(write_thinking(text)) == text


@pytest.mark.parametrize("text", ["I will add.", "Hm.\nSo 1+1=2", "我想一想", "naïve"])
def test_plain_text_is_an_ollamas(text: str) -> None:
    assert read_thinking(text) == text


SEALED = [
    "gAAAAABoISQ24OyVRYbkYfukdJoqdzWT-6FJErvl0b_7Bm==",
    "ErUBCkYIBRgCIkDm+9aJ/x==",
    "eyJhbGciOiJkaXIifQ..Kx2.abc-_",
    "",
    MARK.removesuffix(":"),
]


@pytest.mark.parametrize("given", [*SEALED, None, 5, ["I think"], {"a": "I think"}], ids=repr)
def test_what_others_sealed_is_not_read(given: object) -> None:
    assert read_thinking(given) == ""
