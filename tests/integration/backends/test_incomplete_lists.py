"""Names that only a pattern matches, where the backend's list does not name all that it has."""

from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client, text_of


def ask(client: Client, name: str) -> int:
    answer = client.chat(model=name)
    assert answer.status == 404 or text_of(answer.lines) == REPLY_TEXT
    return answer.status


class TestPatternsInLists:
    @pytest.fixture(autouse=True)
    def _route(self, database: None, fake: FakeBackend) -> None:
        fake.models = ["plain", "openai/*", "a*b*c"]
        factories.mapping("*", factories.backend(fake))

    @pytest.mark.parametrize("name", ["openai/gpt-4o", "OpenAI/GPT-4o", "openai/ft:gpt-4o:org::id", "plain"])
    def test_a_name_that_a_listed_pattern_covers_exists(
        self, client: Client, fake: FakeBackend, name: str
    ) -> None:
        assert ask(client, name) == 200
        assert fake.requests[-1].model == name

    @pytest.mark.parametrize("name", ["other", "anthropic/claude", "axbxc"])
    def test_others_do_not(self, client: Client, name: str) -> None:
        assert ask(client, name) == 404

    def test_patterns_are_offered_to_nobody(self, client: Client) -> None:
        assert [entry["name"] for entry in client.get("/api/tags").json["models"]] == ["plain:latest"]


class TestVariants:
    @pytest.fixture(autouse=True)
    def _route(self, database: None, fake: FakeBackend) -> None:
        fake.models = [
            {"id": "maker/Model", "context_length": 4321, "pricing": {"prompt": "1", "completion": "1"}}
        ]

    @pytest.mark.parametrize("variant", ["online", "free", "nitro", "floor", "thinking"])
    def test_a_variant_of_a_listed_model_exists(
        self, client: Client, fake: FakeBackend, variant: str
    ) -> None:
        factories.mapping("*", factories.backend(fake))
        assert ask(client, f"maker/model:{variant}") == 200
        assert fake.requests[-1].model == f"maker/Model:{variant}"
        shown = client.post("/api/show", {"model": f"maker/Model:{variant}"}).json
        assert 4321 in shown["model_info"].values()

    @pytest.mark.parametrize("name", ["maker/model:q4", "maker/other:online", ":online"])
    def test_other_tags_and_other_models_do_not(self, client: Client, fake: FakeBackend, name: str) -> None:
        factories.mapping("*", factories.backend(fake))
        assert client.chat(model=name).status in (400, 404)

    def test_a_profile_has_the_last_word(self, client: Client, fake: FakeBackend) -> None:
        factories.mapping("*", factories.backend(fake, profile={"model_variants": ["mine"]}))
        assert ask(client, "maker/model:mine") == 200
        assert ask(client, "maker/model:online") == 404

    def test_a_tag_of_an_ollama_is_a_model_of_its_own(self, client: Client, fake: FakeBackend) -> None:
        factories.mapping("*", factories.backend(fake, dialect="ollama"))
        assert client.chat(model="maker/model:online").status == 404


INCOMPLETE: dict[str, Any] = {
    "a further page": {"data": [{"id": "a"}], "has_more": True},
    "a token": {"models": [{"name": "models/a"}], "nextPageToken": "x"},
    "an entry without id": {"data": [{"id": "a"}, {"slug": "b"}]},
    "no id at all": {"data": [{"slug": "a"}, {"slug": "b"}]},
    "no name to be asked for": {"data": [{"id": "a*b*c"}]},
}


@pytest.mark.parametrize("listed", INCOMPLETE.values(), ids=INCOMPLETE)
def test_every_name_may_exist_where_the_list_is_not_all(
    client: Client, fake: FakeBackend, database: None, listed: Any
) -> None:
    factories.mapping("*", factories.backend(fake))
    fake.models = scripts.json_body(listed)
    assert ask(client, "another") == 200


def test_an_empty_list_is_all(client: Client, fake: FakeBackend, database: None) -> None:
    factories.mapping("*", factories.backend(fake))
    fake.models = []
    assert ask(client, "another") == 404
