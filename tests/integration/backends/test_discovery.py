"""What backends tell of their models, in their lists and elsewhere, reaches tags and show."""

from typing import Any

import pytest

from backends.models import Backend
from tests.fake_backend import FakeBackend, Script, scripts
from tests.support import factories
from tests.support.raw_http import Client

PROPS = {"default_generation_settings": {"n_ctx": 2048}, "modalities": {"vision": True, "audio": False}}
META = {"n_ctx": 8192, "n_params": 270_000_000, "n_embd": 640, "size": 1000, "ftype": "Q4_0"}


def show(client: Client, name: str = "m", **headers: str) -> dict[str, Any]:
    answer = client.post("/api/show", {"model": name}, **headers)
    assert answer.status == 200, answer.text
    return dict(answer.json)


def tags(client: Client) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in client.get("/api/tags").json["models"]}


def asked_paths(fake: FakeBackend) -> list[str]:
    return [request.path for request in fake.requests]


class TestSources:
    @pytest.fixture(autouse=True)
    def _route(self, database: None, fake: FakeBackend) -> None:
        fake.models = [{"id": "m", "meta": META}]
        factories.mapping("m", factories.backend(fake, dialect="llamacpp"))

    def test_what_stands_elsewhere_is_laid_over_the_list(self, client: Client, fake: FakeBackend) -> None:
        fake.route("GET", "/props", scripts.json_body(PROPS))
        shown = show(client)
        assert shown["model_info"]["m.context_length"] == 2048
        assert shown["model_info"]["m.embedding_length"] == 640
        assert shown["model_info"]["general.parameter_count"] == 270_000_000
        assert shown["details"]["quantization_level"] == "Q4_0"
        assert shown["capabilities"] == ["completion", "tools", "vision"]
        assert tags(client)["m:latest"]["capabilities"] == shown["capabilities"]

    @pytest.mark.parametrize(
        "broken",
        [scripts.status(404), scripts.status(500), scripts.html_200(), scripts.close_without_answer()],
        ids=["404", "500", "html", "closed"],
    )
    def test_a_source_that_fails_leaves_the_list_as_it_is(
        self, client: Client, fake: FakeBackend, broken: Script
    ) -> None:
        fake.route("GET", "/props", broken)
        assert show(client)["model_info"]["m.context_length"] == 8192
        assert "/props" in asked_paths(fake)

    def test_the_key_is_sent_there_too(self, client: Client, fake: FakeBackend) -> None:
        fake.require_key = "sk-props"
        Backend.objects.all()[0].credentials.create(label="main", secret="sk-props")
        fake.route("GET", "/props", scripts.json_body(PROPS))
        show(client)
        (props,) = (request for request in fake.requests if request.path == "/props")
        assert props.headers["authorization"] == "Bearer sk-props"


class TestNoList:
    def test_a_kind_without_a_list_is_not_asked_and_its_names_work(
        self, client: Client, fake: FakeBackend
    ) -> None:
        azure = factories.backend(fake, dialect="azure_deployments", api_key="sk-azure")
        factories.mapping("*", azure)
        said = {"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]}
        fake.route("POST", "/deployments/gpt-4o/chat/completions", scripts.json_body(said))
        assert client.chat(model="gpt-4o", stream=False).json["message"]["content"] == "Yes."
        assert show(client, "gpt-4o")["model_info"]["gpt.context_length"] == 128000
        assert [request.method for request in fake.requests] == ["POST"]


class TestOneByOne:
    @pytest.fixture(autouse=True)
    def _route(self, database: None, fake: FakeBackend) -> None:
        info = {"general.architecture": "qwen3", "qwen3.context_length": 40960}
        told = {"capabilities": ["completion", "thinking"], "model_info": info}
        fake.route("POST", "/api/show", scripts.json_body(told))

    def test_each_model_is_asked_for_once(self, client: Client, fake: FakeBackend) -> None:
        fake.models = ["a", "b", "c"]
        factories.mapping("*", factories.backend(fake, dialect="ollama"))
        found = tags(client)
        assert found["a:latest"]["capabilities"] == ["completion", "thinking"]
        assert found["a:latest"]["details"]["context_length"] == 40960
        show(client, "a")
        tags(client)
        asked = [request.json["model"] for request in fake.requests if request.path == "/api/show"]
        assert sorted(asked) == ["a", "b", "c"]

    def test_a_long_list_is_described_in_part_and_the_rest_when_it_is_wanted(
        self, client: Client, fake: FakeBackend
    ) -> None:
        fake.models = [f"m{number}" for number in range(40)]
        factories.mapping("*", factories.backend(fake, dialect="ollama"))
        described = [name for name, entry in tags(client).items() if "thinking" in entry["capabilities"]]
        assert len(described) == 32
        assert "m39:latest" not in described
        assert show(client, "m39")["capabilities"] == ["completion", "thinking"]


def test_what_is_listed_and_not_served_is_not_offered(client: Client, fake: FakeBackend) -> None:
    fake.models = [{"id": "on", "active": True}, {"id": "off", "active": False}]
    factories.mapping("*", factories.backend(fake))
    assert list(tags(client)) == ["on:latest"]
