"""However a name is written, it is the same name: for mappings with their rules, for teams, and for lists."""

from typing import Any

import pytest

from accounts.models import Team
from backends.models import ModelMapping
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Answer, Client

FORCED = 7
INVALID = "invalid model name"
# Each misses the mapping `m`, or a team's list, where names are compared as they are written.
DRESSED = [
    "m:latest",
    "M:LATEST",
    "m:latest:latest",
    "library/m",
    "library/library/m",
    "LIBRARY/library/M",
    "registry.ollama.ai/library/m",
    "registry.ollama.ai/registry.ollama.ai/m",
    "https://registry.ollama.ai/library/m",
    "http://registry.ollama.ai/library/m:latest",
    "library/library/m:latest",
    "library/library/library/library/m",
    "library/m:latest:latest",
    "m:",
    "m:latest:",
    "library/ m",
    "m :latest",
    "\tm\n",
    "\u3000m\u3000",
    "m\0",
    "m\x1f",
    "\x1cm",
    "m\u200b",
    "m\u2060",
    "\uff4d",
    "library%2Fm",
    "m%3Alatest",
    "%6d",
    "x/../m",
    "./m",
    "//m",
]
OFTEN_TOO_LONG = ["m" * 594, "library/" * 100 + "m", "m" + ":latest" * 100, "a/" * 50_000 + "m"]

APIS: dict[str, dict[str, Any]] = {
    "/api/chat": {"messages": [{"role": "user", "content": "hi"}], "stream": False},
    "/api/generate": {"prompt": "hi", "stream": False},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/responses": {"input": "hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
}
ALL_APIS = {
    **APIS,
    "/api/embed": {"input": "hi"},
    "/api/embeddings": {"prompt": "hi"},
    "/api/show": {},
    "/api/pull": {"stream": False},
    "/api/create": {"from": "m", "stream": False},
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
    "/v1/images/generations": {"prompt": "a cat"},
    "/v1/messages/count_tokens": {"messages": [{"role": "user", "content": "hi"}]},
}


@pytest.fixture
def world(database: None, fake: FakeBackend) -> None:
    """A backend of two models: one with forced options, and both through a pattern."""
    fake.models = ["m", "secret-model"]
    where = factories.backend(fake)
    factories.mapping("m", where, forced_options={"seed": FORCED})
    factories.mapping("*", where)


@pytest.fixture
def unlisted(database: None, fake: FakeBackend) -> None:
    """The same over a backend that tells no list, so that names are passed on in good faith."""
    fake.route("GET", "/v1/models", scripts.status(500))
    where = factories.backend(fake)
    factories.mapping("m", where, forced_options={"seed": FORCED})
    factories.mapping("*", where)


def asked(fake: FakeBackend) -> list[dict[str, Any]]:
    return [request.json for request in fake.requests if request.method == "POST"]


@pytest.mark.parametrize("name", [*DRESSED, *OFTEN_TOO_LONG], ids=lambda name: ascii(name)[:40])
@pytest.mark.parametrize("api", APIS)
def test_no_spelling_misses_the_forced_options(
    world: None, client: Client, fake: FakeBackend, api: str, name: str
) -> None:
    answer = client.post(api, {"model": name, **APIS[api]})
    assert answer.status in (200, 400, 404), answer.text
    for body in asked(fake):
        assert (body["model"], body.get("seed")) == ("m", FORCED)
    assert (answer.status == 200) is bool(asked(fake))


@pytest.mark.parametrize("name", DRESSED, ids=ascii)
def test_not_even_where_the_backend_tells_no_list(
    unlisted: None, client: Client, fake: FakeBackend, name: str
) -> None:
    client.chat(model=name, stream=False)
    for body in asked(fake):
        assert body["model"] == body["model"].strip(), "another name, which the backend does not take for m"
        assert body["model"] not in ("m", "M") or body.get("seed") == FORCED
        assert not body["model"].lower().startswith(("library/", "registry.ollama.ai/", "http"))
        assert not body["model"].endswith((":latest", ":"))


@pytest.mark.parametrize("dressed", DRESSED, ids=ascii)
def test_no_spelling_gets_past_a_teams_list(
    world: None, client: Client, fake: FakeBackend, dressed: str
) -> None:
    _, secret = factories.key(factories.team(models=("l*", "r*", "h*", "x*")))
    bearer = {"Authorization": f"Bearer {secret}"}
    name = (
        dressed.replace("m", "secret-model", 1)
        if dressed == "m:"
        else dressed[::-1].replace("m", "ledom-terces", 1)[::-1]
    )
    answer = client.post("/api/chat", {"model": name, **APIS["/api/chat"]}, **bearer)
    assert answer.status in (400, 403, 404)
    assert asked(fake) == []


def test_the_team_of_the_report(world: None, client: Client, fake: FakeBackend) -> None:
    _, secret = factories.key(factories.team(models=("l*",)))
    bearer = {"Authorization": f"Bearer {secret}"}
    for api, body in ALL_APIS.items():
        answer = client.post(api, {"model": "library/library/secret-model", **body}, **bearer)
        assert answer.status == 403, (api, answer.text)
    assert asked(fake) == []


@pytest.mark.parametrize("name", ["m:latest:latest", "m:", "no\x1bname", "x" * 594, "*"], ids=ascii)
@pytest.mark.parametrize("api", ALL_APIS)
def test_what_is_no_name_is_told_in_the_shape_of_each_api(
    world: None, client: Client, api: str, name: str
) -> None:
    answer = client.post(api, {"model": name, **ALL_APIS[api]})
    assert answer.status == 400
    told = answer.json["error"]
    assert (told["message"] if api.startswith("/v1") else told) == INVALID
    if api.startswith("/v1/messages"):
        assert answer.json["type"] == "error"


def test_a_long_name_is_not_told_back(world: None, client: Client) -> None:
    long = "n" * 100_000
    answers = [
        client.call("DELETE", "/api/delete", {"model": long}),
        client.post("/api/copy", {"source": long, "destination": "x"}),
        client.post("/api/copy", {"source": "m", "destination": long}),
    ]
    assert [answer.status for answer in answers] == [400, 400, 400]
    assert all("is invalid" in answer.error and len(answer.text) < 1000 for answer in answers)


def test_what_a_star_stands_for_is_no_other_spelling(
    database: None, client: Client, fake: FakeBackend
) -> None:
    fake.models = ["m"]
    where = factories.backend(fake)
    factories.mapping("lab/m", where, model="m", forced_options={"seed": FORCED})
    factories.mapping("lab/*", where, model="*")
    factories.mapping("*-fast", where, model="*")
    for name in ("lab/library/m", "lab/registry.ollama.ai/m", "m:latest-fast", "library/library/m-fast"):
        answer = client.chat(model=name, stream=False)
        assert (answer.status == 200) is (name == "library/library/m-fast"), (name, answer.text)
    assert [body["model"] for body in asked(fake)] == ["m"]


BEYOND_THE_GRAMMAR = [
    "org/model-name:free",
    "accounts/fireworks/models/x",
    "Qwen/Qwen3-Coder-30B",
    "z.ai/glm-4.6",
    "ft:gpt-4o:org::id",
    "@cf/meta/llama-3-8b-instruct",
    "/data/models/llama",
    "s3://bucket/folder/model",
    "my model.gguf",
    "library/of/alexandria",
    "讯飞星火",
]


@pytest.mark.parametrize("name", BEYOND_THE_GRAMMAR)
def test_what_backends_list_can_be_asked_for(
    database: None, client: Client, fake: FakeBackend, name: str
) -> None:
    fake.models = [name]
    factories.mapping("*", factories.backend(fake))
    (entry,) = client.get("/api/tags").json["models"]
    for spelled in (name, entry["model"], name.upper() if name.isascii() else name):
        assert client.chat(model=spelled, stream=False).status == 200, spelled
        assert asked(fake)[-1]["model"] == name
    assert client.post("/api/show", {"model": name}).status == 200
    assert client.post("/api/pull", {"model": name, "stream": False}).status == 200


@pytest.mark.parametrize("name", [*BEYOND_THE_GRAMMAR[:5], "claude@20250101"])
def test_without_a_list_they_are_passed_on(
    unlisted: None, client: Client, fake: FakeBackend, name: str
) -> None:
    assert client.chat(model=name, stream=False).status == 200
    assert asked(fake)[-1]["model"] == name


def test_what_nobody_can_ask_for_is_not_listed(database: None, client: Client, fake: FakeBackend) -> None:
    fake.models = ["openai/*", "m", "x" * 600, "bad\x1b[2J"]
    factories.mapping("*", factories.backend(fake))
    assert [entry["name"] for entry in client.get("/api/tags").json["models"]] == ["m:latest"]


class TestAliases:
    @pytest.fixture(autouse=True)
    def _world(self, world: None) -> None:
        """Everybody on this machine may manage aliases."""

    def names(self) -> list[str]:
        return sorted(ModelMapping.objects.values_list("name", flat=True))

    def delete(self, client: Client, name: str) -> Answer:
        return client.call("DELETE", "/api/delete", {"model": name})

    def test_no_second_mapping_is_made_under_another_spelling(self, client: Client) -> None:
        for name in ("library/library/m", "M:latest", "https://registry.ollama.ai/library/m"):
            body = {"model": name, "from": "secret-model", "stream": False}
            assert client.post("/api/create", body).status == 200
        assert self.names() == ["*", "m"]

    def test_the_same_mapping_is_deleted(self, client: Client) -> None:
        assert self.delete(client, "m:latest:latest").status == 400
        assert self.delete(client, "library/library/M").status == 200
        assert self.names() == ["*"]

    def test_it_is_in_use_once(self, client: Client) -> None:
        for name in ("m", "library/library/m", "https://registry.ollama.ai/library/M:latest"):
            assert client.chat(model=name).status == 200
        assert [entry["name"] for entry in client.get("/api/ps").json["models"]] == ["m:latest"]


class TestTeams:
    @pytest.mark.parametrize("pattern", ["m:latest:latest", "**", "", "x" * 600, "m\0"])
    def test_what_matches_nothing_is_refused_where_it_is_written(self, pattern: str) -> None:
        from django.core.exceptions import ValidationError

        with pytest.raises(ValidationError):
            Team(name="t", allowed_models=[pattern]).full_clean(exclude=["name"], validate_unique=False)
