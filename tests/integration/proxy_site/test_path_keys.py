"""Keys in the path, `/k/KEY/...`: for clients that have a URL and nothing else."""

from typing import Any

import pytest
from django.utils import timezone

from tests.conftest import Change, Serve
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client, Json, RawHTTP, chat_body
from tests.support.waiting import eventually

TURNS = [{"role": "user", "content": "hi"}]
ROUTES: list[tuple[str, str, Json | None]] = [
    ("GET", "/api/tags", None),
    ("HEAD", "/api/tags", None),
    ("GET", "/api/ps", None),
    ("POST", "/api/show", {"model": "m"}),
    ("POST", "/api/chat", chat_body()),
    ("POST", "/api/generate", {"model": "m", "prompt": "hi"}),
    ("POST", "/api/embed", {"model": "m", "input": "hi"}),
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/m", None),
    ("POST", "/v1/chat/completions", {"model": "m", "messages": TURNS}),
    ("POST", "/v1/embeddings", {"model": "m", "input": "hi"}),
    ("POST", "/v1/responses", {"model": "m", "input": "hi"}),
    ("POST", "/v1/messages", {"model": "m", "messages": TURNS, "max_tokens": 9}),
    ("POST", "/v1/messages/count_tokens", {"model": "m", "messages": TURNS}),
]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


@pytest.fixture
def secret() -> str:
    return factories.key(factories.team("research"))[1]


@pytest.fixture
def required(change: Change) -> None:
    change(require_key_on_loopback=True)


@pytest.mark.parametrize("slash", ["/", "//"], ids=["one slash", "two"])
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_every_route_is_served_below_a_key(
    client: Client, secret: str, required: None, method: str, path: str, body: Json | None, slash: str
) -> None:
    """`OLLAMA_HOST` with a final slash gives two."""
    answer = client.call(method, f"/k/{secret}{slash}{path[1:]}", body)
    assert answer.status == 200
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert client.call(method, path, body).status == 401


@pytest.mark.parametrize("path", ["/api/tags/", "/api//tags", "/./api/tags", "///api/x/../tags"])
def test_a_path_that_is_not_clean_is_served_without_a_redirect(
    client: Client, secret: str, required: None, path: str
) -> None:
    """A redirect would lose the key, or tell it once more."""
    assert client.get(f"/k/{secret}{path}").status == 200


def test_the_record_names_team_and_key(
    client: Client, secret: str, required: None, ledger: RecordSpy
) -> None:
    assert client.post(f"/k/{secret}/api/chat", chat_body()).status == 200
    (record,) = ledger.wait(1)
    assert record["team"] == "research"
    assert secret not in str(record)


@pytest.mark.parametrize("path", ["/k/anything", "/k/anything/", "/k/lg-unknown//", "/k/", "/k//"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_somebody_is_at_home_whatever_the_key(client: Client, required: None, method: str, path: str) -> None:
    assert client.call(method, path).status == 200


@pytest.mark.parametrize("changes", [{}, {"serve_without_keys": True}], ids=["loopback", "open to all"])
@pytest.mark.parametrize("key", ["ollama", "lg-12345678-unknown-unknown-unknown", ""])
def test_an_unknown_key_is_refused_even_where_none_is_needed(
    client: Client, change: Change, changes: dict[str, Any], key: str
) -> None:
    change(**changes)
    assert client.get("/api/tags").status == 200
    answer = client.get(f"/k/{key}/api/tags")
    assert answer.status == 401
    assert not key or key not in answer.error
    openai = client.get(f"/k/{key}/v1/models")
    assert (openai.status, openai.json["error"]["type"]) == (401, "api_error")


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "authorization"])
def test_headers_beside_it_are_ignored(client: Client, secret: str, required: None, header: str) -> None:
    """`ollama launch` hands its programs dummies; and a good header helps no bad path."""
    dummy = "Bearer ollama" if header != "X-API-Key" else "ollama"
    assert client.get(f"/k/{secret}/api/tags", **{header: dummy}).status == 200
    good = f"Bearer {secret}" if header != "X-API-Key" else secret
    assert client.get("/k/unknown/api/tags", **{header: good}).status == 401


def test_nothing_of_it_reaches_a_backend(client: Client, secret: str, fake: FakeBackend) -> None:
    headers = {
        "Authorization": "Bearer ollama-dummy",
        "X-API-Key": "ollama-dummy",
        "Referer": f"http://localhost/k/{secret}/",
        "anthropic-version": "2023-06-01",
    }
    for path in ("/api/chat", "/v1/chat/completions", "/v1/messages"):
        body = {"model": "m", "messages": TURNS, "max_tokens": 9}
        assert client.call("POST", f"/k/{secret}{path}", body, headers).status == 200
        told = str(fake.requests[-1].header_list) + str(fake.requests[-1].body) + fake.requests[-1].path
        assert secret not in told
        assert "ollama-dummy" not in told


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/login/", "//admin/login/", "/static/x", "/x/../admin/", "/%61dmin/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_way_leads_to_the_operators(client: Client, secret: str, method: str, path: str) -> None:
    answer = client.call(method, f"/k/{secret}{path}")
    assert (answer.status, answer.text) == (404, "404 page not found")


def test_what_no_route_has_is_not_found(client: Client, secret: str) -> None:
    for path in (f"/k/{secret}/nothing", f"/k/{secret}/k/{secret}/api/tags", "/k", "/K/x/api/tags"):
        assert client.get(path).status == 404


def test_an_escaped_path_is_the_same(client: Client, secret: str, required: None) -> None:
    escaped = "".join(f"%{ord(letter):02x}" for letter in secret)
    for path in (f"/k/{escaped}/api/tags", f"/%6b/{secret}/api/tags", f"/%6B/{escaped}/%61pi/tags"):
        assert client.get(path).status == 200
    assert client.get(f"http://localhost/k/{secret}/api/tags").status == 200


def test_a_page_may_ask_by_it(client: Client, secret: str, required: None) -> None:
    answer = client.call("OPTIONS", f"/k/{secret}/api/chat", headers={"Origin": "http://localhost:3000"})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "http://localhost:3000")


def test_a_revoked_key_is_refused(client: Client) -> None:
    row, secret = factories.key(factories.team())
    assert client.get(f"/k/{secret}/api/tags").status == 200
    row.revoked_at = timezone.now()
    row.save()
    assert client.get(f"/k/{secret}/api/tags").status == 401


def test_no_line_of_the_log_holds_it(database: None, serve: Serve, secret: str, fake: FakeBackend) -> None:
    """Requests that end well and badly, a WebSocket, and what is no request; all that can be logged is."""
    process = serve(LOG_LEVEL="DEBUG", LLAMAGATE_REQUIRE_KEY_ON_LOOPBACK="true")
    wrong = secret[:-4] + "wrong"
    eventually(lambda: process.client.get(f"/k/{secret}/v1/models/m").status == 200, 5, "the mapping")
    for key in (secret, wrong):
        for method, path, body in ROUTES:
            process.client.call(method, f"/k/{key}{path}", body)
        process.client.post(f"/k/{key}/api/chat", {"model": "nobody"})
        process.client.call("POST", f"/k/{key}/api/chat", b"{")
        process.client.get(f"/k/{key}/admin/")
        process.client.get(f"/k/{key}/nothing")
        process.client.call("POST", f"/k/{key}/api/chat", {}, headers={"Host": "evil.example"})
        process.client.call("GET", f"/k/{key}/api/tags", headers={"Origin": "http://evil.example"})
        _ask_for_websocket(process.client.port, f"/k/{key}/x")
        _ask_for_websocket(process.client.port, f"/%6b/{key}/x")
    last = process.client.post(f"/k/{secret}/api/chat", chat_body())
    process.wait_logged("request", request_id=last.headers["x-request-id"])
    assert secret not in process.output
    assert wrong not in process.output
    assert "client refused" in process.output


def _ask_for_websocket(port: int, path: str) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    with RawHTTP(port) as connection:
        connection.request("GET", path, headers=headers)
        assert connection.head().status == 403
