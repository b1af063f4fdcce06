"""/v1/models: the names that a caller may use, as OpenAI lists them."""

from typing import Any

import pytest

from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Client

NAMES = ["m", "org/some-model", "hf.co/org/deep.er:Q4_K_M"]


@pytest.fixture(autouse=True)
def _routes(database: None, fake: FakeBackend) -> None:
    where = factories.backend(fake)
    for name in NAMES:
        factories.mapping(name, where)


def without_time(entry: dict[str, Any]) -> dict[str, Any]:
    assert entry.pop("created") > 1_700_000_000
    return entry


def test_the_list(client: Client) -> None:
    answer = client.get("/v1/models")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["object"] == "list"
    entries = [without_time(entry) for entry in answer.json["data"]]
    ids = {"m:latest", "org/some-model:latest", "hf.co/org/deep.er:Q4_K_M"}
    assert {entry["id"] for entry in entries} == ids
    assert all(entry == {"id": entry["id"], "object": "model", "owned_by": "library"} for entry in entries)


def test_the_list_holds_what_the_team_may_use(client: Client) -> None:
    _, secret = factories.key(factories.team(models=("org/*",)))
    answer = client.get("/v1/models", Authorization=f"Bearer {secret}")
    assert [entry["id"] for entry in answer.json["data"]] == ["org/some-model:latest"]
    _, secret = factories.key(factories.team("poor", models=()), "other")
    assert client.get("/v1/models", Authorization=f"Bearer {secret}").json["data"] == []


def test_what_a_pattern_matches_is_listed_and_found(client: Client) -> None:
    with FakeBackend(models=["lab/alpha", "lab/beta"]) as lab:
        factories.mapping("lab/*", factories.backend(lab, "lab"))
        listed = {entry["id"] for entry in client.get("/v1/models").json["data"]}
        assert {"lab/alpha:latest", "lab/beta:latest"} <= listed
        assert client.get("/v1/models/lab/beta").json["id"] == "lab/beta"
        assert client.get("/v1/models/lab/gamma").status == 404


@pytest.mark.parametrize(
    "path",
    [*NAMES, "M", "m:latest", "org%2Fsome-model", "ORG/Some-Model:latest", "hf.co/org/deep.er%3AQ4_K_M"],
)
def test_one_name_as_it_was_asked_for(client: Client, path: str) -> None:
    answer = client.get(f"/v1/models/{path}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    name = path.replace("%2F", "/").replace("%3A", ":")
    assert without_time(answer.json) == {"id": name, "object": "model", "owned_by": "library"}


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("nobody", 404, "model 'nobody:latest' not found"),
        ("org", 404, "not found"),
        ("org/some-model/more", 404, "not found"),
        ("org/", 400, "invalid model name"),
        ("%F0%9F%98%80", 400, "invalid model name"),
    ],
)
def test_an_unknown_name(client: Client, name: str, status: int, text: str) -> None:
    answer = client.get(f"/v1/models/{name}")
    error = answer.json["error"]
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    assert (answer.status, error["type"], error["param"], error["code"]) == (status, kind, None, None)
    assert text in error["message"]


def test_white_space_around_a_name_is_no_part_of_it(client: Client) -> None:
    assert client.get("/v1/models/m%20").status == 200


@pytest.mark.parametrize("path", ["/v1/models/m%0A", "/%0A", "/a%0D%0Ab", "/api/tags%0A", "/v1/models/"])
def test_a_path_that_no_route_has(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status, answer.text) in [(404, "404 page not found"), (301, "")]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/api/blobs/a%0D%0Ab/", "/api/blobs/%F0%9F%98%80/", "/api/blobs/%25%22/"])
def test_a_redirect_names_the_path_as_it_was_written(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status, answer.headers["location"]) == (301, path.rstrip("/"))


def test_a_name_that_the_team_may_not_use(client: Client) -> None:
    _, secret = factories.key(factories.team(models=("org/*",)))
    answer = client.get("/v1/models/m", Authorization=f"Bearer {secret}")
    assert (answer.status, answer.json["error"]["type"]) == (403, "api_error")
