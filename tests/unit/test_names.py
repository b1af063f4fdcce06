"""Which names are the same, and what a pattern with one star matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.routing.names import Pattern, canonical, full_name, matches, strip_tag

PARTS = st.text("abcXYZ019-_./:", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("plain", "plain"),
        ("PLAIN", "plain"),
        (" plain ", "plain"),
        ("plain:latest", "plain"),
        ("Plain:LATEST", "plain"),
        ("plain:7b", "plain:7b"),
        ("openai/gpt-4o:latest", "openai/gpt-4o"),
        ("latest", "latest"),
        ("x:latest-2", "x:latest-2"),
        ("library/plain", "plain"),
        ("Registry.Ollama.ai/Library/Plain:Latest", "plain"),
        ("other.host/library/plain", "other.host/library/plain"),
        ("registry.ollama.ai/openai/gpt-4o", "openai/gpt-4o"),
    ],
)
def test_canonical(name: str, same: str) -> None:
    assert canonical(name) == same


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        (" Plain ", "registry.ollama.ai/library/Plain:latest"),
        ("plain:7b", "registry.ollama.ai/library/plain:7b"),
        ("openai/gpt-4o", "registry.ollama.ai/openai/gpt-4o:latest"),
        ("host:5000/ns/x", "host:5000/ns/x:latest"),
        ("registry.ollama.ai/library/plain", "registry.ollama.ai/library/plain:latest"),
    ],
)
def test_a_name_in_full(name: str, whole: str) -> None:
    assert full_name(name) == whole
    assert canonical(whole) == canonical(name)


def test_the_default_tag_goes_and_the_spelling_stays() -> None:
    assert strip_tag("Qwen3:Latest") == "Qwen3"
    assert strip_tag("Qwen3:8b") == "Qwen3:8b"


@pytest.mark.parametrize(
    ("pattern", "name", "stem"),
    [
        ("*", "Qwen3:8b", "Qwen3:8b"),
        ("*", "qwen3:latest", "qwen3"),
        ("qwen*", "Qwen3:8B", "3:8B"),
        ("QWEN*", "qwen3", "3"),
        ("openai/*", "openai/gpt-4o", "gpt-4o"),
        ("*:free", "meta/llama:free", "meta/llama"),
        ("a*z", "abcz", "bc"),
        (" qwen* ", " qwen3 ", "3"),
        ("qwen*", "qwen", None),
        ("qwen*", "llama", None),
        ("ab*ba", "aba", None),
        ("*", "", None),
        ("*:latest", "x:latest", "x"),
        ("qwen*", "library/Qwen3", "3"),
        ("*", "registry.ollama.ai/library/qwen3:8b", "qwen3:8b"),
        ("library/*", "qwen3:8b", "qwen3:8b"),
        ("library/*", "openai/gpt-4o", None),
        ("library/qwen*", "library/qwen3", "3"),
        ("registry.ollama.ai/*", "openai/gpt-4o", "openai/gpt-4o"),
        ("registry.ollama.ai/*", "other.host/openai/gpt-4o", None),
        ("registry.ollama.ai/library/*", "openai/gpt-4o", None),
        ("*", "other.host/openai/gpt-4o", "other.host/openai/gpt-4o"),
    ],
)
def test_what_the_star_stands_for(pattern: str, name: str, stem: str | None) -> None:
    assert Pattern(pattern).match(name) == stem
    assert matches(pattern, name) == (stem is not None or pattern == "*")


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [("gpt-4o", "GPT-4o:latest", True), ("gpt-4o", "gpt-4o-mini", False), ("*", "anything", True)],
)
def test_a_name_covers_itself_only(pattern: str, name: str, covered: bool) -> None:
    assert matches(pattern, name) is covered


@given(PARTS, PARTS, PARTS)
def test_a_pattern_takes_apart_what_was_put_together(head: str, stem: str, tail: str) -> None:
    assert Pattern(f"{head}*{tail}").match(f"{head}{stem}{tail}") == stem


@given(PARTS)
def test_names_that_differ_in_case_and_default_tag_are_the_same(name: str) -> None:
    assert canonical(name.upper()) == canonical(name.lower()) == canonical(f" {name} ")
    assert canonical(f"{strip_tag(name)}:latest") == strip_tag(name).lower()
