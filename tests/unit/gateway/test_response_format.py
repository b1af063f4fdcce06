"""The form of an answer: said in a field or in words, as each kind of backend has it."""

from typing import Any

import pytest

from backends.wire.dialects import DIALECTS
from gateway.generation import ResponseFormat
from gateway.translate.response_format import JSON_WORD, ask_in_words

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAJsOnAAA="}}


@pytest.mark.parametrize(
    ("content", "is_said"),
    [
        ("Give me JSON.", True),
        ("Give me something.", False),
        ([{"type": "text", "text": "as json"}, IMAGE], True),
        ([{"type": "text", "text": "as text"}, IMAGE], False),
        ([IMAGE], False),
    ],
)
def test_the_word_that_openai_demands_counts_in_text_only(content: Any, is_said: bool) -> None:
    turns = [{"role": "user", "content": content}]
    added = [turn for turn in ask_in_words(ResponseFormat(), turns, DIALECTS["openai"]) if turn not in turns]
    assert added == ([] if is_said else [{"role": "system", "content": JSON_WORD}])
