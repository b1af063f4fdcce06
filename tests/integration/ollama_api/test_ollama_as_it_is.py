"""A backend that is an Ollama: lists and show tell what it tells, and its sentences the client's names."""

from typing import Any

import pytest

from backends.models import Backend
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client

DIGEST = "e7d36fb2c3b3293cfe56d55889867a064b3a2b22e98335f2e6e8a387e081d6be"
DETAILS = {
    "parent_model": "base",
    "format": "safetensors",
    "family": "gemma3",
    "families": ["gemma3", "clip"],
    "parameter_size": "268.10M",
    "quantization_level": "Q8_0",
}
TEXTS = {"license": "Gemma Terms", "template": "{{ .Prompt }} as told", "system": "Be the operator's."}
SHOWN: dict[str, Any] = {
    **TEXTS,
    "modelfile": "FROM /usr/share/ollama/.ollama/models/blobs/sha256-735af2139dc6\n",
    "parameters": 'stop                           "<end>"\ntop_k                          64',
    "details": DETAILS,
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}],
    "model_info": {
        "general.architecture": "gemma3",
        "general.basename": "gemma-3",
        "general.parameter_count": 268098176,
        "gemma3.attention.head_count": 4,
        "gemma3.context_length": 32768,
        "tokenizer.ggml.tokens": None,
    },
    "projector_info": {"clip.has_vision_encoder": True},
    "capabilities": ["completion"],
}


def entry(name: str = "gemma:latest") -> dict[str, Any]:
    return {"name": name, "model": name, "size": 253113601, "digest": DIGEST, "details": DETAILS}


@pytest.fixture(autouse=True)
def ollama(database: None, fake: FakeBackend) -> Backend:
    fake.models = ["gemma:latest"]
    fake.route("GET", "/api/tags", scripts.json_body({"models": [entry()]}))
    fake.route("POST", "/api/show", scripts.json_body(SHOWN))
    return factories.backend(fake, dialect="ollama")


def show(client: Client, name: str, **fields: Any) -> dict[str, Any]:
    answer = client.post("/api/show", {"model": name, **fields})
    assert answer.status == 200, answer.text
    return dict(answer.json)


def listed(client: Client) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in client.get("/api/tags").json["models"]}


class TestLists:
    @pytest.mark.parametrize("name", ["*", "gemma"])
    def test_tags_tells_size_digest_and_details_as_they_are(
        self, client: Client, ollama: Backend, name: str
    ) -> None:
        factories.mapping(name, ollama)
        one = listed(client)["gemma:latest"]
        assert {key: one[key] for key in ("name", "model", "size", "digest")} == {
            key: entry()[key] for key in ("name", "model", "size", "digest")
        }
        assert {key: one["details"][key] for key in DETAILS} == DETAILS
        assert one["details"]["context_length"] == 32768

    def test_ps_does_too(self, client: Client, ollama: Backend, fake: FakeBackend) -> None:
        factories.mapping("*", ollama)
        listed(client)
        done = {"model": "gemma:latest", "message": {"role": "assistant", "content": "Hi"}, "done": True}
        fake.route("POST", "/api/chat", scripts.json_body(done))
        assert client.chat(model="gemma", stream=False).status == 200
        [one] = client.get("/api/ps").json["models"]
        assert (one["name"], one["size"], one["digest"]) == ("gemma:latest", 253113601, DIGEST)
        assert one["details"] == DETAILS

    def test_a_mapping_that_adds_something_has_a_digest_of_its_own(
        self, client: Client, ollama: Backend
    ) -> None:
        factories.mapping("plain", ollama, model="gemma:latest")
        factories.mapping("kind", ollama, model="gemma:latest", system="Be kind.")
        found = listed(client)
        assert found["plain:latest"]["digest"] == DIGEST
        assert found["kind:latest"]["digest"] != DIGEST
        assert found["kind:latest"]["size"] == 253113601

    def test_the_mappings_details_are_laid_over(self, client: Client, ollama: Backend) -> None:
        factories.mapping("gemma", ollama, parameter_size="1T", family="own")
        details = listed(client)["gemma:latest"]["details"]
        assert (details["parameter_size"], details["family"], details["families"]) == ("1T", "own", ["own"])
        assert (details["quantization_level"], details["format"]) == ("Q8_0", "safetensors")

    def test_nonsense_is_told_as_nothing(self, client: Client, ollama: Backend, fake: FakeBackend) -> None:
        odd = {"name": "gemma:latest", "size": -1, "digest": "short", "details": {"families": 7, "family": 8}}
        fake.route("GET", "/api/tags", scripts.json_body({"models": [odd, 5, {"name": 7}]}))
        fake.route("POST", "/api/show", scripts.json_body({"details": 3, "model_info": [], "license": {}}))
        factories.mapping("*", ollama)
        one = listed(client)["gemma:latest"]
        assert one["size"] > 0
        assert len(one["digest"]) == 64
        assert show(client, "gemma")["model_info"]["general.architecture"] == "gemma"


class TestShow:
    def test_tells_what_is_no_text_of_the_operators(self, client: Client, ollama: Backend) -> None:
        factories.mapping("gemma", ollama)
        shown = show(client, "gemma")
        for name in ("parameters", "messages", "details", "model_info", "projector_info"):
            assert shown[name] == SHOWN[name]
        assert not {"license", "system"} & set(shown)
        assert shown["template"] == "{{ .Prompt }}"
        for text in (*TEXTS.values(), "blobs", "<end>", "MESSAGE"):
            assert text not in shown["modelfile"].replace("{{ .Prompt }}", "")

    def test_tells_the_texts_where_the_mapping_says_so(self, client: Client, ollama: Backend) -> None:
        factories.mapping("gemma", ollama, show_backend_texts=True)
        shown = show(client, "gemma")
        assert {name: shown[name] for name in TEXTS} == TEXTS
        assert shown["modelfile"] == (
            '# Modelfile generated by "ollama show"\nFROM gemma:latest\n'
            'PARAMETER stop "<end>"\nPARAMETER top_k 64\n'
            "TEMPLATE {{ .Prompt }} as told\nSYSTEM Be the operator's.\nLICENSE Gemma Terms\n"
            "MESSAGE user hi\nMESSAGE assistant ho\n"
        )

    def test_the_mappings_rules_are_laid_over(self, client: Client, ollama: Backend) -> None:
        turns = [{"role": "user", "content": "own"}]
        factories.mapping(
            "gemma",
            ollama,
            show_backend_texts=True,
            system="Own.",
            messages=turns,
            context_length=4096,
            options={"top_k": 1},
        )
        shown = show(client, "gemma")
        assert shown["parameters"].split() == ["stop", '"<end>"', "top_k", "1"]
        assert (shown["system"], shown["license"], shown["messages"]) == ("Own.", "Gemma Terms", turns)
        assert shown["model_info"] == {**SHOWN["model_info"], "gemma3.context_length": 4096}
        assert show(client, "gemma", system="Asked.")["system"] == "Asked."

    def test_what_is_kept_has_a_bound(self, client: Client, ollama: Backend, fake: FakeBackend) -> None:
        fake.route("POST", "/api/show", scripts.json_body({**SHOWN, "license": "x" * 70_000}))
        factories.mapping("gemma", ollama, show_backend_texts=True)
        shown = show(client, "gemma")
        assert "license" not in shown
        assert shown["model_info"] == SHOWN["model_info"]

    def test_a_changed_model_is_asked_for_again(
        self, client: Client, ollama: Backend, fake: FakeBackend, change: Any
    ) -> None:
        factories.mapping("gemma", ollama)
        assert show(client, "gemma")["model_info"]["gemma3.attention.head_count"] == 4
        info = {"general.architecture": "gemma4"}
        fake.route("POST", "/api/show", scripts.json_body({**SHOWN, "model_info": info}))
        fake.route("GET", "/api/tags", scripts.json_body({"models": [{**entry(), "digest": "0" * 64}]}))
        change(model_list_ttl_s=0)
        assert show(client, "gemma")["model_info"] == info


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('"gemma:latest" does not support thinking', '"{asked}" does not support thinking'),
        ("model 'gemma' not found", "model '{asked}' not found"),
        ('"gemma:2b" is another', '"gemma:2b" is another'),
        (
            "registry.ollama.ai/library/gemma:latest does not support tools",
            "registry.ollama.ai/library/{full} does not support tools",
        ),
    ],
)
@pytest.mark.parametrize(("asked", "full"), [("gemma", "gemma:latest"), ("Alias:x", "Alias:x")])
def test_a_sentence_has_the_clients_spelling(
    client: Client,
    ollama: Backend,
    fake: FakeBackend,
    stream: bool,
    said: str,
    told: str,
    asked: str,
    full: str,
) -> None:
    factories.mapping("*", ollama)
    factories.mapping("alias:x", ollama, model="gemma:latest")
    fake.route("POST", "/api/chat", scripts.status(400, {"error": said}))
    fake.route("POST", "/v1/chat/completions", scripts.status(400, {"error": {"message": said}}))
    expected = told.format(asked=asked, full=full)
    assert client.chat(model=asked, stream=stream).error == expected
    body = {"model": asked, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    assert client.post("/v1/chat/completions", body).json["error"]["message"] == expected


def test_so_has_a_sentence_within_a_stream(client: Client, ollama: Backend, fake: FakeBackend) -> None:
    factories.mapping("*", ollama)
    lines = (
        b'{"message":{"role":"assistant","content":"Hi"},"done":false}\n',
        b'{"error":"model \\"gemma:latest\\" fell over"}\n',
    )
    fake.route("POST", "/api/chat", scripts.replay(lines, "application/x-ndjson"))
    assert client.chat(model="gemma").lines[-1]["error"] == 'model "gemma" fell over'
