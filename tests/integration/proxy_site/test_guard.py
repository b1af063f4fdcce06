"""What never reaches a view: framing, sizes, deadlines, hosts and origins, over the wire."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.conftest import Serve
from tests.fake_backend import FakeBackend
from tests.support.process import ServedProcess
from tests.support.raw_http import Client, RawHTTP, chat_body

HEAD_S = 0.6
BODY_IDLE_S = 0.6
BODY_S = 1.5
MAX_BODY = 64 * 1024
A_MOMENT = 0.5
HEAD = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def backend() -> Iterator[FakeBackend]:
    with FakeBackend() as fake:
        yield fake


@pytest.fixture(scope="module")
def process(serve: Serve, backend: FakeBackend, tmp_path_factory: pytest.TempPathFactory) -> ServedProcess:
    """A server with limits that can be reached in a test, and a database of its own."""
    return serve(
        DATABASE_URL=f"sqlite:///{tmp_path_factory.mktemp('guarded') / 'own.sqlite3'}",
        OPENAI_API_KEY="sk-guarded",
        OPENAI_BASE_URL=backend.base_url,
        LLAMAGATE_HEAD_TIMEOUT_S=str(HEAD_S),
        LLAMAGATE_BODY_IDLE_TIMEOUT_S=str(BODY_IDLE_S),
        LLAMAGATE_BODY_TIMEOUT_S=str(BODY_S),
        LLAMAGATE_MAX_BODY_BYTES=str(MAX_BODY),
        LLAMAGATE_ADMIN_MAX_BODY_BYTES="1000",
        ALLOWED_HOSTS="gate.example,.team.example",
        OLLAMA_ORIGINS="https://chat.example",
    )


@pytest.fixture
def guarded(process: ServedProcess, backend: FakeBackend) -> Iterator[Client]:
    """A client of it. Whatever a test does, the next request is served."""
    backend.reset()
    yield process.client
    assert process.client.chat(model="fake-model").lines[-1]["done"] is True


@pytest.fixture
def raw(guarded: Client) -> Iterator[RawHTTP]:
    with RawHTTP(guarded.port) as connection:
        yield connection


def assert_refused(raw: RawHTTP, status: int) -> None:
    """Told, and hung up on."""
    assert raw.head().status == status
    assert raw.is_closed_within(A_MOMENT)


# Heads


def test_a_head_that_never_comes_ends_the_connection(raw: RawHTTP) -> None:
    assert raw.is_closed_within(HEAD_S + A_MOMENT)


def test_a_slow_head_is_answered_408(raw: RawHTTP) -> None:
    start = time.monotonic()
    raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    assert_refused(raw, 408)
    assert HEAD_S - 0.1 < time.monotonic() - start < HEAD_S + A_MOMENT


def test_a_dripping_head_is_answered_408(raw: RawHTTP) -> None:
    """A byte now and then does not buy time."""
    raw.send(b"GET / HTTP/1.1\r\n")
    start = time.monotonic()
    while not raw.has_something_to_read() and time.monotonic() - start < HEAD_S + A_MOMENT:
        raw.send(b"x")
        raw.wait_readable(0.05)
    assert raw.head().status == 408


def test_a_slow_second_head_on_a_kept_connection_is_answered_408(raw: RawHTTP) -> None:
    raw.request("GET", "/")
    assert raw.answer().status == 200
    raw.send(b"GET / HTTP/1.1\r\n")
    assert_refused(raw, 408)


def test_an_idle_kept_connection_outlives_the_head_deadline(raw: RawHTTP) -> None:
    raw.request("GET", "/")
    raw.answer()
    assert not raw.wait_readable(HEAD_S + 0.2)
    raw.request("GET", "/")
    assert raw.answer().status == 200


def test_a_huge_head_is_answered_431(raw: RawHTTP) -> None:
    raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 17_000 + b"\r\n\r\n")
    assert_refused(raw, 431)


def test_an_endless_head_is_answered_431(raw: RawHTTP) -> None:
    raw.send(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 17_000)
    assert_refused(raw, 431)


def test_too_many_headers_are_answered_431(raw: RawHTTP) -> None:
    raw.send(HEAD + b"".join(b"x-%d: y\r\n" % number for number in range(101)) + b"\r\n")
    assert_refused(raw, 431)


# Bodies


def test_a_huge_declared_body_is_answered_413_before_it_is_sent(raw: RawHTTP) -> None:
    raw.send(HEAD + b"Content-Length: 10737418240\r\n\r\n")
    assert_refused(raw, 413)


def test_nobody_is_told_to_continue_with_a_huge_body(raw: RawHTTP) -> None:
    raw.send(HEAD + b"Content-Length: 10737418240\r\nExpect: 100-continue\r\n\r\n")
    assert_refused(raw, 413)


def test_a_chunked_body_over_the_limit_is_answered_413(raw: RawHTTP, backend: FakeBackend) -> None:
    raw.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    raw.send(piece * (MAX_BODY // 0x4000 + 1))
    assert_refused(raw, 413)
    assert backend.streams == []


def test_a_body_at_the_limit_is_served(raw: RawHTTP) -> None:
    body = json.dumps(chat_body(model="fake-model")).encode()
    raw.request("POST", "/api/chat", body + b" " * (MAX_BODY - len(body)))
    assert raw.answer().status == 200


def test_operators_have_a_limit_of_their_own(raw: RawHTTP) -> None:
    raw.send(b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n")
    assert_refused(raw, 413)


def test_a_body_that_stops_is_answered_408(raw: RawHTTP) -> None:
    raw.send(HEAD + b'Content-Length: 100\r\n\r\n{"model"')
    assert_refused(raw, 408)


def test_a_dripping_body_is_answered_408(raw: RawHTTP) -> None:
    """Each byte keeps the idle deadline away, so the deadline of the whole body has to end it."""
    raw.send(HEAD + b"Content-Length: 60000\r\n\r\n")
    start = time.monotonic()
    while not raw.has_something_to_read() and time.monotonic() - start < BODY_S + A_MOMENT:
        raw.send(b" ")
        raw.wait_readable(0.05)
    assert raw.head().status == 408
    assert BODY_S - 0.1 < time.monotonic() - start < BODY_S + A_MOMENT


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
def test_a_compressed_body_is_answered_415(raw: RawHTTP, encoding: str) -> None:
    raw.request("POST", "/api/chat", b"\x1f\x8b", {"Content-Encoding": encoding})
    assert_refused(raw, 415)


# Framing

CL, TE, LAST = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"
SMUGGLED = b"GET /api/tags HTTP/1.1\r\nHost: localhost\r\n\r\n"
AMBIGUOUS = {
    "length and encoding": HEAD + CL + TE + b"\r\n" + LAST,
    "encoding and length": HEAD + TE + CL + b"\r\n" + LAST,
    "two lengths": HEAD + CL + b"Content-Length: 6\r\n\r\nhello!",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "a space before the colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "an encoding that hides": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST,
    "a chunk size that is none": HEAD + TE + b"\r\nzz\r\n" + LAST,
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
}


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_request_is_answered_400_and_nothing_behind_it(raw: RawHTTP, sent: bytes) -> None:
    raw.send(sent + SMUGGLED)
    assert_refused(raw, 400)


def test_pipelined_requests_are_answered_in_order(raw: RawHTTP) -> None:
    raw.send(
        b"".join(
            b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in (b"/", b"/api/version", b"/x")
        )
    )
    assert [raw.answer().status for _ in range(3)] == [200, 200, 404]


# Hosts and origins

HOSTS = {
    "localhost": 200,
    "localhost:11434": 200,
    "127.0.0.1": 200,
    "[::1]:80": 200,
    "box.local": 200,
    "192.168.1.5": 200,
    "gate.example": 200,
    "any.team.example": 200,
    "evil.example": 403,
    "localhost.evil.example": 403,
    "8.8.8.8": 403,
    "evil.example#localhost": 400,
    "localhost/@evil.example": 400,
    "localhost:80@evil.example": 400,
    "[::1].evil.example": 400,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
@pytest.mark.parametrize("path", ["/", "/admin/login/"], ids=["clients", "operators"])
def test_only_known_hosts_are_served(guarded: Client, host: str, status: int, path: str) -> None:
    answer = guarded.call("GET", path, headers={"Host": host})
    assert answer.status == status
    assert answer.body == b"" if status == 403 else answer.body


HEADS = {
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n": 400,
    b"GET / HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost:\r\n\r\n": 200,
    b"GET / HTTP/1.1\r\nHost: localhost \r\n\r\n": 200,
    b"GET / HTTP/1.0\r\n\r\n": 200,
}


@pytest.mark.parametrize(("head", "status"), HEADS.items())
def test_a_request_has_one_host(raw: RawHTTP, head: bytes, status: int) -> None:
    raw.send(head)
    assert raw.head().status == status
    assert status == 200 or raw.is_closed_within(A_MOMENT)


def test_static_files_are_not_sniffed(guarded: Client) -> None:
    answer = guarded.get("/static/console/admin.css")
    assert (answer.status, answer.headers["x-content-type-options"]) == (200, "nosniff")


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/chat", ["error"]),
        ("/v1/chat/completions", ["message", "type", "param", "code"]),
        ("/v1/messages", ["type", "message"]),
    ],
)
def test_a_refusal_has_the_shape_of_the_api_that_was_asked(
    guarded: Client, path: str, shape: list[str]
) -> None:
    answer = guarded.call("POST", path, b"\x1f\x8b", {"Content-Encoding": "br"})
    told = answer.json["error"]
    assert (answer.status, list(told) if isinstance(told, dict) else list(answer.json)) == (415, shape)


def test_a_foreign_host_leaves_a_line(process: ServedProcess, guarded: Client) -> None:
    answer = guarded.call("GET", "/", headers={"Host": "line.example"})
    (line,) = process.wait_logged("client refused", host="line.example")
    assert (line["status"], line["request_id"]) == (403, answer.headers["x-request-id"])


ORIGINS = {
    "http://127.0.0.1": "http://127.0.0.1",
    "http://localhost:3000": "http://localhost:3000",
    "https://127.0.0.1:8443": "https://127.0.0.1:8443",
    "app://obsidian.md": "app://obsidian.md",
    "vscode-webview://abc": "vscode-webview://abc",
    "https://chat.example": "https://chat.example",
    "https://evil.example": None,
    "http://localhost.evil.example": None,
    "null": None,
}


@pytest.mark.parametrize(("origin", "allowed"), ORIGINS.items())
def test_only_known_origins_are_served(guarded: Client, origin: str, allowed: str | None) -> None:
    preflight = guarded.call("OPTIONS", "/api/chat", headers={"Origin": origin})
    answer = guarded.get("/api/version", Origin=origin)
    expected = (204, 200) if allowed else (403, 403)
    assert (preflight.status, answer.status) == expected
    for one in (preflight, answer):
        assert one.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-credentials" not in one.headers
    assert allowed is None or answer.headers["vary"] == "Origin"


def test_a_foreign_page_cannot_post(guarded: Client, backend: FakeBackend) -> None:
    answer = guarded.chat(headers={"Origin": "https://evil.example", "Content-Type": "text/plain"})
    assert (answer.status, backend.streams) == (403, [])


def test_a_page_of_the_same_origin_may(guarded: Client) -> None:
    headers = {"Host": "gate.example", "Origin": "https://gate.example"}
    assert guarded.chat(model="fake-model", headers=headers).status == 200


def test_no_software_is_named(guarded: Client) -> None:
    assert "server" not in guarded.get("/").headers


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_a_refusal_before_the_door_has_an_id_too(guarded: Client, headers: dict[str, str]) -> None:
    answers = [guarded.call("GET", "/api/tags", None, headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [403, 403]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2
