"""What backends tell of their models, and what tags, show and ps make of it."""

import json
import re
from typing import Any

import msgspec
import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.routing.snapshot import ModelDetails, Target
from backends.wire.listed_models import parse_model_list, read_model_list
from backends.wire.model_cards import ModelCard
from backends.wire.openai_types import BadReply
from core.model_names import canonical, show_with_tag
from gateway.model_list import DescribedModel
from ollama_api.json_encoding import to_json
from ollama_api.ollama.model_metadata import capabilities, context_length, digest, ps_entry, tags_entry
from ollama_api.ollama.modelfile import write_modelfile
from ollama_api.ollama.show import show_reply
from tests.golden.replay import rule, target

CHANGED_AT = 1_787_306_400.5


def described(
    name: str = "alias", model: str = "gpt-4o", card: ModelCard | None = None, **fields: Any
) -> DescribedModel:
    to = target(model=model)
    return DescribedModel(name, rule(to, name=name, changed_at=CHANGED_AT, **fields), to, card)


def listed(body: Any) -> list[str]:
    return [card.id for card in parse_model_list(json.dumps(body).encode())]


def only(**entry: Any) -> ModelCard:
    [card] = parse_model_list(json.dumps({"data": [{"id": "m", **entry}]}).encode())
    return card


# Lists of models


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"object": "list", "data": [{"id": "a"}, {"id": "b"}]}, ["a", "b"]),
        ([{"id": "a"}], ["a"]),
        ({"models": [{"name": "a"}]}, ["a"]),
        ({"models": [{"name": "x"}], "data": [{"id": "a"}]}, ["a"]),
        ({"data": [{"id": ""}, {"id": None}, {"id": 5}, {}, None, "x", {"id": "a"}]}, ["a"]),
        ({"data": []}, []),
    ],
)
def test_every_shape_of_a_list_is_read(body: Any, ids: list[str]) -> None:
    assert listed(body) == ids


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"null", b'{"data":{}}', b'{"error":"no"}', b"[" * 60_000, b"\xff"]
)
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(BadReply):
        parse_model_list(body)


@pytest.mark.parametrize(
    "listed", [[{}], [{"id": 5}, {"id": None}], ["a"], [None], [{"id": "x" * 2000}], [{"slug": "a"}]]
)
def test_a_list_without_a_single_id_is_unknown_and_not_empty(listed: list[Any]) -> None:
    with pytest.raises(BadReply, match="without a single id"):
        parse_model_list(json.dumps({"data": listed}).encode())


@pytest.mark.parametrize(
    ("body", "is_complete"),
    [
        ({"data": [{"id": "a"}]}, True),
        ({"data": []}, True),
        ([{"id": "a"}], True),
        ({"data": [{"id": "a"}], "has_more": False, "next": None, "nextPageToken": ""}, True),
        ({"data": [{"id": "a"}], "has_more": True}, False),
        ({"models": [{"name": "models/a"}], "nextPageToken": "b"}, False),
        ({"data": [{"id": "a"}], "next": "https://x.example/?page=2"}, False),
        ({"data": [{"id": "a"}, {"slug": "b"}]}, False),
    ],
)
def test_a_list_says_whether_it_goes_on(body: Any, is_complete: bool) -> None:
    assert read_model_list(json.dumps(body).encode()).is_complete is is_complete


@given(st.binary(max_size=30) | st.text(max_size=30).map(str.encode))
def test_a_backend_can_send_anything(body: bytes) -> None:
    try:
        parse_model_list(body)
    except BadReply as bad:
        assert str(bad)


@pytest.mark.parametrize(
    ("entry", "length"),
    [
        ({"max_model_len": 8192}, 8192),
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 32768}}, 4096),
        ({"meta": {"n_ctx_train": 32768}}, 32768),
        ({"loaded_context_length": 2048, "max_context_length": 131072}, 2048),
        ({"context_length": 1000, "top_provider": {"context_length": 900}}, 900),
        ({"context_window": 131072.0}, 131072),
        ({"max_input_tokens": 5}, 5),
        ({"max_model_len": None, "context_length": 7}, 7),
        ({"max_model_len": 0}, None),
        ({"max_model_len": "8192"}, None),
        ({"max_model_len": True}, None),
        ({"meta": None}, None),
        ({}, None),
    ],
)
def test_the_context_that_can_be_used_wins_over_the_trained_one(
    entry: dict[str, Any], length: int | None
) -> None:
    assert only(**entry).context_length == length


def test_what_llama_cpp_and_openrouter_tell_is_kept() -> None:
    card = only(
        created=1700000000,
        meta={"n_params": 270000000, "n_embd": 640, "size": 248000000},
        architecture={"input_modalities": ["text", "image", 5]},
        supported_parameters=["tools", "reasoning"],
    )
    assert (card.created, card.parameters, card.embedding_length, card.size) == (
        1700000000,
        270000000,
        640,
        248000000,
    )
    assert card.modalities == ("text", "image")
    assert card.supported == ("tools", "reasoning")


# Names and capabilities


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain", "plain:latest"),
        ("plain:7b", "plain:7b"),
        ("openai/gpt-4o", "openai/gpt-4o:latest"),
        ("host:5000/ns/x", "host:5000/ns/x:latest"),
        ("Qwen3:Latest", "Qwen3:Latest"),
        ("library/Qwen3", "Qwen3:latest"),
        ("registry.ollama.ai/library/qwen3:8b", "qwen3:8b"),
        ("Registry.Ollama.ai/openai/gpt-4o", "openai/gpt-4o:latest"),
    ],
)
def test_lists_show_every_name_with_a_tag(name: str, shown: str) -> None:
    assert show_with_tag(name) == shown
    assert canonical(shown) == canonical(name)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("llama-3.1-8b", {"completion", "tools"}),
        ("gpt-4o", {"completion", "tools", "vision"}),
        ("openai/gpt-5-mini", {"completion", "tools", "vision", "thinking"}),
        ("gpt-5-chat-latest", {"completion", "tools", "vision"}),
        ("o3", {"completion", "tools", "vision", "thinking"}),
        ("Qwen/Qwen3-8B", {"completion", "tools", "thinking"}),
        ("Qwen/Qwen3-Coder-30B", {"completion", "tools"}),
        ("Qwen/Qwen2.5-VL-7B", {"completion", "tools", "vision"}),
        ("deepseek-reasoner", {"completion", "tools", "thinking"}),
        ("grok-4-fast-non-reasoning", {"completion", "tools", "vision"}),
        ("grok-4", {"completion", "tools", "vision", "thinking"}),
        ("gemma-3-27b-it", {"completion", "tools", "vision"}),
        ("gemma-3-270m", {"completion", "tools"}),
        ("text-embedding-3-small", {"embedding"}),
        ("BAAI/bge-m3", {"embedding"}),
        ("nomic-embed-text", {"embedding"}),
    ],
)
def test_capabilities_are_guessed_from_the_name_when_nobody_tells(model: str, expected: set[str]) -> None:
    found = capabilities(described(model=model))
    assert set(found) == expected
    assert len(found) == len(set(found))


def test_the_backends_word_wins_over_the_name_and_the_operators_over_both() -> None:
    card = ModelCard("gpt-4o", modalities=("text",), supported=("tools",))
    assert capabilities(described(card=card)) == ["completion", "tools"]
    thinks = ModelCard("llama", modalities=("text", "image"), supported=("tools", "reasoning"))
    assert capabilities(described(model="llama", card=thinks)) == [
        "completion",
        "tools",
        "vision",
        "thinking",
    ]
    told = described(card=thinks, capabilities=("completion", "insert"))
    assert capabilities(told) == ["completion", "insert"]


def test_the_context_length_is_the_operators_then_the_backends_then_unknown() -> None:
    card = ModelCard("m", context_length=8192)
    assert context_length(described(card=card, context_length=4096)) == 4096
    assert context_length(described(card=card)) == 8192
    assert context_length(described()) is None


# Entries


def test_a_digest_is_64_hex_digits_stable_and_of_this_alias_and_target() -> None:
    first = digest(described())
    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert digest(described(system="other", card=ModelCard("m"))) == first
    others = {digest(described("other")), digest(described(model="gpt-4.1"))}
    elsewhere = msgspec.structs.replace(described(), target=Target(target("vllm").upstream, "gpt-4o"))
    assert len({first, *others, digest(elsewhere)}) == 4


def test_the_entry_in_tags() -> None:
    card = ModelCard("m", context_length=8192, parameters=8_030_000_000, embedding_length=4096)
    entry = json.loads(to_json(tags_entry(described(model="meta/llama-3.1-8b", card=card))))
    assert entry == {
        "name": "alias:latest",
        "model": "alias:latest",
        "remote_model": "meta/llama-3.1-8b",
        "remote_host": "my-generic",
        "modified_at": "2026-08-21T10:00:00.5Z",
        "size": entry["size"],
        "digest": entry["digest"],
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "8.0B",
            "quantization_level": "",
            "context_length": 8192,
            "embedding_length": 4096,
        },
        "capabilities": ["completion", "tools"],
    }
    assert entry["size"] > 0
    assert "expires_at" not in json.dumps(entry)


def test_the_entry_in_ps() -> None:
    card = ModelCard("m", context_length=8192, size=12345, embedding_length=4096)
    entry = json.loads(to_json(ps_entry(described(card=card), 1_787_306_700_000_000_000)))
    assert entry["expires_at"] == "2026-08-21T10:05:00Z"
    assert entry["size"] == entry["size_vram"] == 12345
    assert entry["context_length"] == 8192
    assert not {"modified_at", "capabilities", "remote_model", "remote_host"} & set(entry)
    assert not {"context_length", "embedding_length"} & set(entry["details"])


def test_show_without_any_knowledge_invents_none() -> None:
    reply = json.loads(to_json(show_reply(described(model="mystery"))))
    assert reply["model_info"] == {"general.architecture": "mystery", "general.basename": "alias"}
    assert reply["details"]["parameter_size"] == ""
    assert reply["parameters"] == ""
    assert ".Suffix" not in reply["template"]
    assert not {"license", "system", "projector_info"} & set(reply)


def test_show_with_all_that_can_be_known() -> None:
    card = ModelCard("m", context_length=8192, parameters=270_000_000, embedding_length=640)
    told = described(
        model="gemma3-270m",
        card=card,
        system="Be terse.",
        options={"temperature": 0.7, "stop": ["a", "<|b|>"]},
        forced_options={"seed": 7},
    )
    reply = json.loads(to_json(show_reply(told)))
    assert reply["model_info"] == {
        "general.architecture": "gemma3",
        "general.basename": "alias",
        "general.parameter_count": 270000000,
        "gemma3.context_length": 8192,
        "gemma3.embedding_length": 640,
    }
    assert reply["details"]["parameter_size"] == "270M"
    assert reply["parameters"].splitlines() == [
        "temperature                    0.7",
        'stop                           "a"',
        'stop                           "<|b|>"',
        "seed                           7",
    ]
    # What Continue reads them with.
    assert all(re.fullmatch(r'(\S+)\s+(".*"|\S+)', line) for line in reply["parameters"].splitlines())
    assert reply["system"] == "Be terse."
    assert reply["capabilities"] == tags_entry(told).capabilities
    assert reply["modelfile"].startswith('# Modelfile generated by "ollama show"\nFROM alias:latest\n')
    assert "SYSTEM Be terse.\n" in reply["modelfile"]


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("llama-3.1-8b", "8B"),
        ("qwen2.5-0.5b-instruct", "0.5B"),
        ("gemma-270m", "270M"),
        ("Llama-3.3-70B-Instruct", "70B"),
        ("gpt-4o", ""),
        ("v2base", ""),
    ],
)
def test_the_size_in_a_name_is_the_size_shown(model: str, size: str) -> None:
    assert tags_entry(described(model=model)).details.parameter_size == size
    assert tags_entry(described(model, "deployment")).details.parameter_size == size


SAID = ModelDetails("own", "70B", "Q4_K_M", "For code.")


def test_the_operators_details_win() -> None:
    card = ModelCard("m", parameters=8_030_000_000, architecture="llama", quantisation="F16")
    one = described("llama-8b", "llama-8b", card, details=SAID)
    for details in (tags_entry(one).details, ps_entry(one, 1).details, show_reply(one).details):
        told = (details.family, details.parameter_size, details.quantization_level, details.description)
        assert told == ("own", "70B", "Q4_K_M", "For code.")
        assert details.families == ["own"]


def test_what_nobody_tells_is_empty() -> None:
    details = json.loads(to_json(tags_entry(described(model="7"))))["details"]
    empty = {name: details[name] for name in ("family", "families", "parameter_size", "quantization_level")}
    assert empty == {"family": "", "families": [], "parameter_size": "", "quantization_level": ""}
    assert "description" not in details


@given(st.text("abcGPT4-_./:0129", min_size=1, max_size=20), st.booleans())
def test_ollamas_own_client_reads_every_entry(model: str, known: bool) -> None:
    card = ModelCard(model, 1, 8192, 1_000_000, 64, 1, ("text",), ("tools",)) if known else None
    one = described(model, model, card)
    ollama.ListResponse.model_validate_json(to_json({"models": [tags_entry(one)]}))
    ollama.ProcessResponse.model_validate_json(to_json({"models": [ps_entry(one, 10**18)]}))
    ollama.ShowResponse.model_validate_json(to_json(show_reply(one)))
    assert write_modelfile(one).endswith("\n")
