"""pull: succeeds if the name leads somewhere once the backends' lists are read anew."""

import pytest

from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Client

MANIFEST = ["pulling manifest", "verifying sha256 digest", "writing manifest", "success"]
NOT_FOUND = "pull model manifest: file does not exist"


@pytest.fixture(autouse=True)
def _routes(database: None, fake: FakeBackend) -> None:
    fake.models = ["big", "lab/alpha"]
    where = factories.backend(fake)
    factories.mapping("m", where, model="big")
    factories.mapping("lab/*", where)


@pytest.mark.parametrize("field", ["model", "name"])
@pytest.mark.parametrize("name", ["m", "M:latest", "lab/alpha"])
def test_pull_of_a_known_name(client: Client, field: str, name: str) -> None:
    streamed = client.post("/api/pull", {field: name})
    assert (streamed.status, streamed.headers["content-type"]) == (200, "application/x-ndjson")
    assert [line["status"] for line in streamed.lines] == MANIFEST
    whole = client.post("/api/pull", {field: name, "stream": False})
    assert (whole.status, whole.json, whole.headers["content-type"]) == (
        200,
        {"status": "success"},
        "application/json",
    )


@pytest.mark.parametrize("name", ["nobody", "lab/beta", "hf.co/x/y:Q4"])
def test_pull_of_an_unknown_name(client: Client, name: str) -> None:
    streamed = client.post("/api/pull", {"model": name})
    assert streamed.status == 200
    assert streamed.lines == [{"status": "pulling manifest"}, {"error": NOT_FOUND}]
    whole = client.post("/api/pull", {"model": name, "stream": False})
    assert (whole.status, whole.json) == (500, {"error": NOT_FOUND})


def test_pull_reads_the_backends_lists_anew(client: Client, fake: FakeBackend) -> None:
    assert client.post("/api/pull", {"model": "lab/beta", "stream": False}).status == 500
    fake.models = ["big", "lab/alpha", "lab/beta"]
    assert client.post("/api/pull", {"model": "lab/beta", "stream": False}).json == {"status": "success"}
    listed = [entry["name"] for entry in client.get("/api/tags").json["models"]]
    assert "lab/beta:latest" in listed


@pytest.mark.parametrize("name", ["", "no good", "a/b/c/d/e", "../x"])
def test_pull_of_a_bad_name(client: Client, name: str) -> None:
    answer = client.post("/api/pull", {"model": name})
    assert (answer.status, answer.json) == (400, {"error": "invalid model name"})
