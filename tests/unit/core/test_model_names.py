"""Which names are the same, and what a pattern with one star matches."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.routing import knowledge
from core.model_names import (
    Pattern,
    canonical,
    clip,
    fault_of_pattern,
    full_name,
    is_acceptable,
    is_valid,
    matches,
    shortest,
    strip_tag,
    trim,
)

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
        ("qwen*", "qwen", ""),
        ("qwen*", "Qwen:latest", ""),
        ("*:free", ":free", ""),
        ("ab*ba", "abba", ""),
        ("gemma4:*", "gemma4", "latest"),
        ("gemma4:*", "Gemma4:LATEST", "latest"),
        ("gemma4:l*", "gemma4", "atest"),
        ("gemma4:e*", "gemma4", None),
        ("lab/gemma4:*", "lab/gemma4", "latest"),
        ("h:80/*", "h:80/m", "m"),
        ("h:*", "h:80/m", "80/m"),
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


# One form, whatever is put around a name

ANYTHING = st.text(max_size=40)
AFFIXED = st.lists(
    st.sampled_from(
        [
            "library/",
            "registry.ollama.ai/",
            "Library/",
            ":latest",
            ":LATEST",
            "https://",
            " ",
            "\n",
            "m",
            "a/b",
            ":",
            "/",
            "*",
            "İ",
            "K",
        ]
    ),
    max_size=12,
).map("".join)


@given(ANYTHING | AFFIXED)
def test_the_canonical_form_is_final(name: str) -> None:
    once = canonical(name)
    assert canonical(once) == once
    assert trim(trim(name)) == trim(name)
    assert len(trim(name)) == len(canonical(trim(name))), "places are the same in both"


@given(ANYTHING | AFFIXED, ANYTHING | AFFIXED)
def test_what_is_the_same_name_is_covered_alike(name: str, other: str) -> None:
    if "*" not in name + other and canonical(name) == canonical(other):
        for pattern in ("*", "l*", "*m", "a*", "library/*", other):
            assert matches(pattern, name) == matches(pattern, other)


@given(AFFIXED, st.sampled_from(["*", "l*", "li*", "*m", "a*", "*t", "library/*", "a/*"]))
def test_a_star_stands_for_what_is_canonical_itself(name: str, pattern: str) -> None:
    stem = Pattern(pattern).match(name)
    if stem is not None:
        assert trim(stem) == stem


SPELLINGS = [
    "library/library/secret",
    "m:latest:latest",
    "library/m:latest",
    "registry.ollama.ai/registry.ollama.ai/library/m",
    "https://registry.ollama.ai/library/m",
    "LIBRARY/Library/m:LATEST:latest",
    " library/m:latest ",
]


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_name_cannot_be_dressed_up(name: str) -> None:
    assert canonical(name) in ("m", "secret")
    assert not matches("l*", name)
    assert not matches("r*", name)
    assert not matches("h*", name)


@pytest.mark.parametrize(
    "name",
    [
        "m",
        "M:Latest",
        "library/library/m",  # to Ollama a host, a namespace and a model
        "org/model-name:free",
        "accounts/fireworks/models/x",
        "Qwen/Qwen3-Coder-30B",
        "Qwen/Qwen3-Coder-30B:latest",
        "z.ai/glm-4.6",
        "accounts/fireworks/models/x:latest",
        "ft:gpt-4o-mini:org::abc123",
        "claude-3-5-haiku@20241022",
        "@cf/meta/llama-3-8b-instruct",
        "/data/models/llama",
        "C:\\models\\llama.gguf",
        "s3://bucket/model",
        "my model",
        "讯飞星火",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-v1:0",
        "h" * 350 + "/" + "n" * 80 + "/" + "m" * 80 + ":" + "t" * 80,
    ],
)
def test_names_that_may_be_asked_for(name: str) -> None:
    assert is_acceptable(name)
    assert not fault_of_pattern(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ":latest",
        "library/",
        "m:",
        "m/",
        "m:latest:latest",
        "library/m:latest:latest",
        "library/library/library/library/m",
        "library/ m",
        "m :latest",
        "http://m",
        "*",
        "m*",
        ".",
        "..",
        "m\0",
        "m\x1b[2J",
        "\x1cm",
        "m\u200b",  # a space without width
        "m\u202e",  # writes backwards from here
        "\uff4d",  # looks like m
        "\u212a",  # the sign for kelvin, which is k in lower case
        "\ud800",
        "m\u00a0n",
        "x" * 594,
        "x" * 400_000,
    ],
)
def test_what_is_no_name(name: str) -> None:
    assert not is_acceptable(name)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("m", True),
        ("host:5000/ns/m:tag", True),
        ("https://host/ns/m", True),
        ("n" * 80, True),
        ("n" * 81, False),
        ("n" * 80 + "/m", True),
        ("n" * 81 + "/m", False),
        ("m:" + "t" * 80, True),
        ("m:" + "t" * 81, False),
        ("h" * 350 + "/n/m", True),
        ("h" * 351 + "/n/m", False),
        ("a/b/c/d", False),
        ("z.ai/glm", False),
        ("m@sha256", False),
        ("m%3alatest", False),
        ("https://m", False),
        ("https://host/m", False),
        ("m:t:u", False),
        ("-m", False),
        ("m:", False),
        ("/m", False),
    ],
)
def test_the_grammar_is_that_of_ollama(name: str, valid: bool) -> None:
    assert is_valid(name) is valid


@pytest.mark.parametrize(
    "pattern", ["*", "qwen*", "*:free", "*:latest", "library/*", "openai/ft:*", "lab/*-x"]
)
def test_patterns_that_an_operator_may_write(pattern: str) -> None:
    assert not fault_of_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "**", "a*b*", "m:latest:latest", "q*:latest:latest", "*:", "q*\n\0"])
def test_patterns_that_match_nothing_are_told(pattern: str) -> None:
    assert fault_of_pattern(pattern)


def test_a_pattern_of_the_own_namespace_is_another_than_one_of_all() -> None:
    assert len({canonical("*"), canonical("library/*"), canonical("registry.ollama.ai/*")}) == 3
    assert canonical("Library/Library/*") == canonical("registry.ollama.ai/library/*") == "library/*"


@pytest.mark.parametrize(
    "part", ["a", "a/", "a:", ":latest", "library/", "https://", "gpt-5", "qwen", " ", "@", "é"]
)
def test_no_name_takes_longer_than_it_is(part: str) -> None:
    name = part * (400_000 // len(part))
    began = time.thread_time()
    canonical(name), is_valid(name), is_acceptable(name), matches("q*", name), full_name(name), clip(name)
    shortest(name)
    for rule in (knowledge.EMBEDDING, knowledge.NOT_TEXT, knowledge.VISION, knowledge.THINKING):
        rule.search(knowledge.last_part(name + "chat"))
    assert time.thread_time() - began < 0.5
