"""Methods and paths, as Ollama answers them."""

import json
import socket

import pytest

from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Client, RawHTTP, chat_body

ROUTES = {
    "/": "GET, HEAD",
    "/api/version": "GET, HEAD",
    "/api/tags": "GET, HEAD",
    "/api/ps": "GET",
    "/api/show": "POST",
    "/api/chat": "POST",
    "/api/generate": "POST",
    "/api/embed": "POST",
    "/api/embeddings": "POST",
}


def test_somebody_is_at_home(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status, answer.text) == (200, "Ollama is running")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("path", "allow"), ROUTES.items())
def test_a_wrong_method_is_told_which_are_right(client: Client, path: str, allow: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = client.call(method, path, {})
        if method in allow:
            assert answer.status != 405
            continue
        assert (answer.status, answer.text) == (405, "405 method not allowed")
        assert (answer.headers["allow"], answer.headers["content-type"]) == (allow, "text/plain")


@pytest.mark.parametrize("path", ["/", "/api/version", "/api/tags"])
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    whole = client.get(path)
    with client.open("HEAD", path) as connection:
        head = connection.answer()
        assert (head.status, head.body) == (200, b"")
        for name in ("content-type", "content-length"):
            assert head.headers[name] == whole.headers[name]
        # Not a byte of a body: the next answer on the connection begins where it should.
        connection.request("GET", "/api/version")
        assert connection.answer().json["version"]


UNKNOWN = [
    "/nothing",
    "/api",
    "/api/chat/more",
    "/API/CHAT",
    "//api/nothing",
    "/%61pi/nothing",
]


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_plainly_not_found(client: Client, path: str, method: str) -> None:
    answer = client.call(method, path, {})
    assert (answer.status, answer.text) == (404, "404 page not found")
    assert answer.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
def test_a_target_that_is_no_path_is_not_found(client: Client, method: str) -> None:
    answer = client.call(method, "*")
    assert (answer.status, answer.text) == (404, "404 page not found")


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 307), ("HEAD", 307), ("DELETE", 307)])
def test_a_trailing_slash_is_redirected(client: Client, method: str, status: int) -> None:
    for path in ("/api/tags", "/api/chat"):
        answer = client.call(method, path + "/", {} if method == "POST" else None)
        assert (answer.status, answer.headers["location"], answer.body) == (status, path, b"")


@pytest.mark.parametrize(
    "path", ["//api/tags", "///api//tags", "/api/./tags", "/api/x/../tags", "//api/tags/", "/../api/tags"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_is_not_clean_is_redirected(client: Client, method: str, path: str) -> None:
    """A base URL with a slash at its end makes `//api/tags`: what calls Ollama so has to work here."""
    answer = client.call(method, path, {} if method == "POST" else None)
    assert (answer.status, answer.headers["location"], answer.body) == (307, "/api/tags", b"")


def test_slashes_alone_lead_to_the_root(client: Client) -> None:
    answer = client.get("//")
    assert (answer.status, answer.headers["location"]) == (307, "/")


def test_a_redirect_never_leads_to_another_host(client: Client) -> None:
    for path in ("//evil.example/", "/\\evil.example/", "//evil.example/%2e%2e/", "/%5cevil.example/.."):
        answer = client.get(path)
        assert answer.headers.get("location") in (None, "/")
    assert client.get("//evil.example/api/tags").headers.get("location") is None


def test_a_model_is_required_in_the_words_of_each_endpoint(client: Client) -> None:
    told = {path: client.post(path) for path in ROUTES if ROUTES[path] == "POST"}
    assert {path: (answer.status, answer.error) for path, answer in told.items()} == {
        "/api/show": (400, "model is required"),
        "/api/chat": (400, "model is required"),
        "/api/generate": (404, "model '' not found"),
        "/api/embed": (404, "model '' not found"),
        "/api/embeddings": (400, "model is required"),
    }


NO_JSON = {
    "nothing": b"",
    "broken": b'{"model": "m"',
    "an array": b"[]",
    "deep": b'{"model":"m","options":' * 2000,
    "not UTF-8": b'{"model":"\xff\xfe"}',
    "NaN": b'{"model":"m","messages":[],"top_logprobs":NaN}',
    "a huge number": b'{"model":"m","top_logprobs":' + b"9" * 6000 + b"}",
    "NUL in the name": b'{"model":"m\\u0000x","messages":[]}',
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("path", [path for path in ROUTES if ROUTES[path] == "POST"])
def test_a_body_that_is_none_is_the_clients_fault(client: Client, path: str, body: bytes) -> None:
    answer = client.call("POST", path, body)
    assert answer.status in (400, 404)
    assert list(answer.json) == ["error"]


NAMES = [
    "../../etc/passwd",
    "x" * 100_000,
    "a\r\nb: c",
    "😀",
    "",
    " ",
    "%2e%2e",
    "{}",
    "*",
    "m:latest:latest",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_an_odd_model_name_is_not_found(client: Client, fake: FakeBackend, name: str) -> None:
    factories.route(fake)
    answer = client.chat(model=name)
    assert answer.status in (400, 404)
    assert fake.streams == []


def test_a_request_id_is_given_and_a_good_one_is_kept(client: Client) -> None:
    assert len(client.get("/api/tags").headers["x-request-id"]) == 16
    assert client.get("/api/tags", **{"X-Request-Id": "abc-1.2_3"}).headers["x-request-id"] == "abc-1.2_3"
    for bad in ("with space", "x" * 65, "<script>"):
        assert client.get("/api/tags", **{"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_a_connection_serves_many_requests(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    with RawHTTP(client.port) as connection:
        for _ in range(3):
            connection.request(
                "POST", "/api/chat", {"model": "m", "messages": [{"role": "user", "content": "x"}]}
            )
            assert connection.answer().lines[-1]["done"] is True
            connection.request("GET", "/nothing")
            assert connection.answer().status == 404


def test_a_websocket_is_refused(client: Client) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert client.call("GET", "/api/chat", headers=upgrade | key).status in (403, 404)


# What Java's HTTP client adds to each request on a new connection.
OFFER = {"Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAEAAEAAAAIAAAAB", "Upgrade": "h2c"}


def test_an_offer_of_http2_is_not_taken_up(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    with RawHTTP(client.port) as connection:
        for text in ("echo: one", "echo: two"):
            connection.request("POST", "/api/chat", chat_body(text, stream=False), OFFER)
            assert connection.answer().json["message"]["content"] == text.removeprefix("echo: ")
            connection.request("GET", "/api/version", headers=OFFER)
            assert connection.answer().status == 200


def test_an_offer_of_http2_in_pieces(client: Client, fake: FakeBackend) -> None:
    """The parser stops behind the head, wherever the network has cut the request."""
    factories.route(fake)
    body = json.dumps(chat_body("echo: one", stream=False)).encode()
    lines = [f"{name}: {value}" for name, value in OFFER.items()]
    head = "\r\n".join(["POST /api/chat HTTP/1.1", "Host: localhost", *lines, "Transfer-Encoding: chunked"])
    request = head.encode() + b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    for cut in (20, len(head) + 2, len(head) + 4, len(request) - 9):
        with RawHTTP(client.port) as connection:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.send(request[:cut])
            assert not connection.wait_readable(0.05)
            connection.send(request[cut:])
            assert connection.answer().json["message"]["content"] == "one"


def test_a_tunnel_is_refused(client: Client) -> None:
    for headers in ({}, OFFER):
        assert client.call("CONNECT", "example.com:443", headers=headers).status in (400, 403, 404, 405)
