"""Ollama's options: types, names on the wire, what is left out."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.diagnostics import Diagnostics
from gateway.errors import BadRequest
from gateway.translate.options import KINDS, list_ignored_options, merge_options, wire_options
from ollama_api.ollama.generate import API as GENERATE
from ollama_api.ollama.types import GenerateRequest
from tests.golden import replay

GENERIC, OPENAI, LLAMACPP = (DIALECTS[name] for name in ("generic", "openai", "llamacpp"))


def wired(given_options: dict[str, Any], dialect: str = "generic") -> dict[str, Any]:
    return wire_options(merge_options({}, given_options, {}), DIALECTS[dialect])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("temperature", "hot", 'option "temperature" must be of type float32'),
        ("temperature", True, 'option "temperature" must be of type float32'),
        ("temperature", float("inf"), 'option "temperature" must be of type float32'),
        ("temperature", 10**400, 'option "temperature" must be of type float32'),
        ("top_p", [], 'option "top_p" must be of type float32'),
        ("num_ctx", "4096", 'option "num_ctx" must be of type integer'),
        ("seed", False, 'option "seed" must be of type integer'),
        ("seed", 2**63, 'option "seed" must be of type integer'),
        ("top_k", float("inf"), 'option "top_k" must be of type integer'),
        ("use_mmap", 1, 'option "use_mmap" must be of type boolean'),
        ("stop", "END", 'option "stop" must be of type array'),
        ("stop", ["END", 1], 'option "stop" must be of an array of strings'),
        ("stop", [None], 'option "stop" must be of an array of strings'),
    ],
)
def test_a_wrong_type_is_refused_in_ollamas_words(name: str, value: Any, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        merge_options({}, {name: value}, {})
    assert refused.value.message == message
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("given_options", "body"),
    [
        ({}, {}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": 0.0}, {"temperature": 0.0}),
        ({"seed": 0}, {"seed": 0}),
        ({"seed": -1}, {}),
        ({"num_predict": -1}, {}),
        ({"num_predict": -2}, {}),
        ({"num_predict": 0}, {}),
        ({"num_predict": 12.9}, {"max_tokens": 12}),
        ({"stop": []}, {}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"temperature": None, "stop": None}, {}),
        ({"Temperature": 1, "max_tokens": 5, "mirostat": 2}, {}),
        ({"num_ctx": 8192, "num_gpu": 99, "use_mmap": False}, {}),
        ({"repeat_penalty": 1.1, "top_k": 40}, {}),
    ],
)
def test_what_a_plain_backend_is_sent(given_options: dict[str, Any], body: dict[str, Any]) -> None:
    assert wired(given_options) == body


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", {"max_completion_tokens": 9}),
        ("vllm", {"max_tokens": 9, "top_k": 4, "repetition_penalty": 1.1}),
        ("llamacpp", {"max_tokens": 9, "top_k": 4, "repeat_penalty": 1.1, "n_keep": 2}),
    ],
)
def test_each_kind_of_backend_has_its_own_names(dialect: str, body: dict[str, Any]) -> None:
    options = {"num_predict": 9, "top_k": 4, "repeat_penalty": 1.1, "num_keep": 2}
    assert wired(options, dialect) == body


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_no_backend_gets_more_stop_strings_than_it_takes(dialect: Any) -> None:
    words = [f"s{number}" for number in range(100)]
    taken = words[: dialect.max_stop_sequences] if "stop" in dialect.options else None
    assert wire_options({"stop": words}, dialect).get("stop") == taken


def test_the_client_wins_over_the_mapping_and_the_operators_force_over_both() -> None:
    found = merge_options({"temperature": 0.1, "top_p": 0.2}, {"temperature": 0.9, "seed": 3}, {"seed": 7})
    assert found == {"temperature": 0.9, "top_p": 0.2, "seed": 7}


def test_a_null_of_the_client_says_nothing() -> None:
    assert merge_options({"top_k": 3}, {"seed": None, "top_k": None, "top_p": None}, {"seed": 7}) == {
        "top_k": 3,
        "seed": 7,
    }


def test_merging_changes_none_of_its_three_sources() -> None:
    defaults, asked, forced = {"top_p": 0.2}, {"seed": 3.0}, {"top_k": 1}
    merge_options(defaults, asked, forced)
    assert (defaults, asked, forced) == ({"top_p": 0.2}, {"seed": 3.0}, {"top_k": 1})


def test_what_is_not_sent_is_named_unless_it_is_only_about_loading() -> None:
    asked = {"top_k": 4, "num_ctx": 1, "num_predict": 1, "bogus": 1, "temperature": 1, "mirostat": 1}
    assert list_ignored_options(asked, GENERIC) == ["top_k", "bogus", "mirostat"]
    assert list_ignored_options(asked, LLAMACPP) == ["bogus", "mirostat"]
    assert list_ignored_options(asked, DIALECTS["ollama"]) == ["bogus", "mirostat"]


def test_every_option_that_a_dialect_maps_is_one_of_ollamas() -> None:
    for dialect in DIALECTS.values():
        assert set(dialect.options) <= set(KINDS), dialect.name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*KINDS, "bogus"]), JSON), st.sampled_from(list(DIALECTS)))
def test_whatever_comes_is_refused_or_sent_without_a_null(options: dict[str, Any], dialect: str) -> None:
    try:
        body = wired(options, dialect)
    except BadRequest as refused:
        assert "must be of" in refused.message
    else:
        assert b"null" not in msgspec.json.encode(body)
        assert set(body) <= set(DIALECTS[dialect].options.values()) | {DIALECTS[dialect].max_tokens}


def test_a_penalty_over_the_whole_context_is_said_as_llama_cpp_takes_it() -> None:
    """It refuses -1: "Value must be between 0 <= value <= 2147483647, but got -1"."""
    diagnostics = Diagnostics()
    assert wire_options({"repeat_last_n": -1}, DIALECTS["llamacpp"], diagnostics) == {
        "repeat_last_n": 10_000_000
    }
    assert [note.verdict for note in diagnostics.taken] == ["changed"]
    assert wire_options({"repeat_last_n": 0}, DIALECTS["llamacpp"]) == {"repeat_last_n": 0}


@pytest.mark.parametrize(
    ("said", "sent"), [("5m", 300), (90, 90), (0, 1), ("1500ms", 2), (-1, None), ("-1s", None), (None, None)]
)
@pytest.mark.parametrize("raw", [False, True])
def test_how_long_a_model_stays_is_said_to_a_server_that_asks(said: Any, sent: int | None, raw: bool) -> None:
    call = GenerateRequest(model="m", prompt="hi", raw=raw, keep_alive=said)
    bodies = {name: replay.build(GENERATE, call, replay.target(name)) for name in ("lmstudio", "vllm")}
    assert bodies["lmstudio"].get("ttl") == sent
    assert "ttl" not in bodies["vllm"]
