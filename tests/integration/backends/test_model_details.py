"""What operators say of a model to clients: its details, and whether it is recommended."""

from typing import Any

import pytest

from backends.models import Backend, ModelMapping
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Client

OPERATOR_DETAILS = {
    "family": "own",
    "parameter_size": "70B",
    "quantization_level": "Q4_K_M",
    "description": "Writes code.",
}
RECOMMENDATIONS = "/api/experimental/model-recommendations"


@pytest.fixture(autouse=True)
def backend(database: None, fake: FakeBackend) -> Backend:
    fake.models = ["m", {"id": "long", "context_window": 32768, "max_completion_tokens": 4096}]
    return factories.backend(fake)


def told(client: Client, name: str) -> list[dict[str, Any]]:
    """Give the details in tags, show and ps."""
    assert client.chat(model=name, stream=False).status == 200
    tags, ps = (client.get(path).json["models"] for path in ("/api/tags", "/api/ps"))
    entries = [entry for entry in (*tags, *ps) if entry["name"] == f"{name}:latest"]
    return [entry["details"] for entry in [*entries, client.post("/api/show", {"model": name}).json]]


def recommended(client: Client, **headers: str) -> list[str]:
    answer = client.get(RECOMMENDATIONS, **headers)
    assert answer.status == 200, answer.text
    return [entry["model"] for entry in answer.json["recommendations"]]


class TestDetails:
    def test_are_the_operators(self, client: Client, backend: Backend) -> None:
        factories.mapping("coder", backend, model="m", **OPERATOR_DETAILS)
        found = told(client, "coder")
        assert len(found) == 3
        for details in found:
            assert {name: details[name] for name in OPERATOR_DETAILS} == OPERATOR_DETAILS
            assert details["families"] == [OPERATOR_DETAILS["family"]]

    def test_are_copied_with_an_alias_but_a_recommendation_is_not(
        self, client: Client, backend: Backend
    ) -> None:
        factories.mapping("coder", backend, model="m", recommended=1, **OPERATOR_DETAILS)
        assert client.post("/api/copy", {"source": "coder", "destination": "mine"}).status == 200
        mine = ModelMapping.objects.get(name="mine")
        assert {name: getattr(mine, name) for name in OPERATOR_DETAILS} == OPERATOR_DETAILS
        assert recommended(client) == ["coder:latest"]

    def test_come_from_the_name_or_stay_empty(self, client: Client, backend: Backend) -> None:
        factories.mapping("team-70b-chat", backend, model="m")
        assert [details["parameter_size"] for details in told(client, "team-70b-chat")] == ["70B"] * 3
        factories.mapping("42", backend, model="m")
        for details in told(client, "42"):
            assert (details["parameter_size"], details["quantization_level"]) == ("", "")


class TestRecommendations:
    def test_are_the_marked_ones_in_their_order(self, client: Client, backend: Backend) -> None:
        factories.mapping("second", backend, model="m", recommended=2)
        factories.mapping("First", backend, model="long", recommended=1, description="The best.")
        factories.mapping("unmarked", backend, model="m")
        factories.mapping("for-all-cloud", backend, model="m", recommended=3)
        factories.mapping("x:cloud", backend, model="m", recommended=3)
        client.get("/api/tags")
        client.post("/api/show", {"model": "First"})
        answer = client.get(RECOMMENDATIONS).json["recommendations"]
        assert answer == [
            {
                "model": "First:latest",
                "description": "The best.",
                "context_length": 32768,
                "max_output_tokens": 4096,
            },
            {"model": "second:latest", "description": ""},
        ]
        assert {entry["model"] for entry in answer} < {
            entry["name"] for entry in client.get("/api/tags").json["models"]
        }

    def test_are_the_first_five_that_were_made_where_none_is_marked(
        self, client: Client, backend: Backend
    ) -> None:
        assert recommended(client) == []
        factories.mapping("*", backend)
        factories.mapping("vectors", backend, model="text-embedding-3", capabilities=["embedding"])
        for name in "gfedcba":
            factories.mapping(name, backend, model="m")
        assert recommended(client) == [f"{name}:latest" for name in "gfedc"]

    def test_are_the_callers(self, client: Client, backend: Backend) -> None:
        factories.mapping("theirs", backend, model="m", recommended=1)
        factories.mapping("ours", backend, model="m")
        _, secret = factories.key(factories.team(models=("our*",)))
        assert recommended(client, Authorization=f"Bearer {secret}") == ["ours:latest"]

    def test_tell_how_long_an_answer_the_operator_allows(self, client: Client, backend: Backend) -> None:
        factories.mapping("short", backend, model="long", forced_options={"num_predict": 100})
        [entry] = client.get(RECOMMENDATIONS).json["recommendations"]
        assert entry["max_output_tokens"] == 100

    def test_lead_somewhere(self, client: Client, backend: Backend) -> None:
        factories.mapping("nowhere", recommended=1)
        factories.mapping("off", backend, recommended=1, enabled=False)
        assert recommended(client) == []
