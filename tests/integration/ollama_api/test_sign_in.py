"""What `ollama` shows where a key is missing, and who it says that one is."""

import json
import re
import uuid

import pytest

from tests.conftest import Change
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Client, RawHTTP, chat_body

CLOSED = [
    ("GET", "/api/tags"),
    ("GET", "/api/ps"),
    ("POST", "/api/show"),
    ("POST", "/api/chat"),
    ("POST", "/api/generate"),
    ("POST", "/api/embed"),
    ("POST", "/api/pull"),
    ("POST", "/api/push"),
    ("POST", "/api/create"),
    ("POST", "/api/copy"),
    ("DELETE", "/api/delete"),
    ("POST", "/api/me"),
    ("POST", "/api/signout"),
    ("GET", "/api/status"),
    ("POST", f"/api/blobs/sha256:{'0' * 64}"),
    ("DELETE", "/api/user/keys/abc"),
]
SIGNED_OUT = "you are not currently signed in"


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


@pytest.fixture
def required(change: Change) -> None:
    change(require_key_on_loopback=True)


@pytest.mark.parametrize("prefix", ["", "/k/unknown"])
@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_401_says_what_to_do(client: Client, required: None, method: str, path: str, prefix: str) -> None:
    """One line of JSON, with the sentence as `status`, which `list`, `show` and the like print."""
    answer = client.call(method, prefix + path, {"model": "m"}, {"Host": "llm.internal:8080"})
    assert answer.status == 401
    assert answer.body.count(b"\n") == 0
    assert list(answer.json) == ["error", "status", "signin_url"]
    assert answer.json["error"] == answer.json["status"]
    assert "Authorization: Bearer KEY" in answer.json["status"]
    assert answer.json["signin_url"] == "http://llm.internal:8080/connect"


def test_other_refusals_are_as_they_were(client: Client) -> None:
    assert list(client.post("/api/chat", chat_body() | {"model": "nobody"}).json) == ["error"]


def test_the_page_has_the_public_url_where_one_is_set(client: Client, change: Change) -> None:
    change(require_key_on_loopback=True, public_url="https://llm.example.com/models")
    assert client.get("/api/tags").json["signin_url"] == "https://llm.example.com/models/connect"
    assert "https://llm.example.com/models/k/KEY" in client.get("/connect").text


def test_a_client_that_names_no_host_is_told_the_address_that_it_asked(
    client: Client, required: None
) -> None:
    with RawHTTP(client.port) as connection:
        connection.send(b"GET /api/tags HTTP/1.0\r\n\r\n")
        assert connection.answer().json["signin_url"] == f"http://127.0.0.1:{client.port}/connect"


def test_anybody_may_read_the_page(client: Client, required: None) -> None:
    _, secret = factories.key(factories.team())
    for path in ("/connect", f"/k/{secret}/connect"):
        answer = client.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "OLLAMA_HOST=http://localhost/k/KEY ollama run" in answer.text
        assert secret not in answer.text
    assert client.call("HEAD", "/connect").status == 200


def test_a_key_is_somebody(client: Client, required: None) -> None:
    team = factories.team("research")
    (row, secret), (_, other) = factories.key(team, name="ci"), factories.key(team)
    headers = {"Authorization": f"Bearer {secret}"}
    told = client.call("POST", "/api/me", None, headers).json
    assert told == {"id": told["id"], "email": "", "name": "ci", "plan": "free"}
    assert str(uuid.UUID(told["id"])) == told["id"]
    assert client.post(f"/k/{secret}/api/me").json == told
    assert client.post(f"/k/{other}/api/me").json["id"] != told["id"]
    assert row.digest[:8] not in json.dumps(told)


def test_on_an_open_loopback_one_is_local(client: Client) -> None:
    told = client.call("POST", "/api/me").json
    assert (told["name"], told["email"], told["plan"]) == ("local", "", "free")
    assert re.fullmatch(r"[0-9a-f-]{36}", told["id"])


def test_whoever_has_a_key_is_still_not_signed_in_to_the_cloud(client: Client) -> None:
    _, secret = factories.key(factories.team())
    answer = client.call("POST", "/api/signout", None, {"Authorization": f"Bearer {secret}"})
    assert (answer.status, answer.error, answer.json["status"]) == (401, SIGNED_OUT, SIGNED_OUT)
