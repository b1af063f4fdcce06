"""Compressed bodies on the five routes of /v1 that Ollama takes them on, over the wire."""

import gzip
import json
import sys
import zlib
from collections.abc import Callable

import pytest

from proxy_site.asgi import application
from proxy_site.content_coding import MOST_BYTES
from proxy_site.guard import Guard
from tests.conftest import Change
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Answer, Client, Json, RawHTTP
from tests.support.waiting import eventually

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TURNS = [{"role": "user", "content": "hi there"}]
BODIES: dict[str, Json] = {
    "/v1/chat/completions": {"messages": TURNS},
    "/v1/completions": {"prompt": "hi there"},
    "/v1/embeddings": {"input": "hi there"},
    "/v1/responses": {"input": "hi there"},
    "/v1/messages": {"messages": TURNS, "max_tokens": 9},
}
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "ZSTD": zstd.compress,
}
ELSEWHERE = [
    ("POST", "/api/chat"),
    ("POST", "/api/generate"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/images/generations"),
    ("GET", "/v1/chat/completions"),
    ("POST", "/admin/login/"),
]
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def ask(client: Client, path: str, body: Json, coding: str) -> Answer:
    sent = COMPRESS[coding](json.dumps(body).encode())
    return client.call("POST", path, sent, {"Content-Encoding": coding, "Content-Type": "application/json"})


def message_of(answer: Answer) -> str:
    told = answer.json["error"]
    return str(told["message"] if isinstance(told, dict) else told)


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("path", BODIES)
def test_a_compressed_body_is_as_good_as_another(
    client: Client, fake: FakeBackend, path: str, coding: str
) -> None:
    answer = ask(client, path, {"model": "m"} | BODIES[path], coding)
    assert answer.status == 200
    assert "hi there" in json.dumps(fake.requests[-1].body)
    assert "content-encoding" not in fake.requests[-1].headers


def test_it_may_come_in_chunks_and_below_a_key(client: Client) -> None:
    _, secret = factories.key(factories.team())
    sent = gzip.compress(json.dumps({"model": "m"} | BODIES[CHAT]).encode())
    with RawHTTP(client.port) as connection:
        connection.send(
            f"POST /k/{secret}{CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        for byte in sent:
            connection.send(b"1\r\n%c\r\n" % byte)
        connection.send(b"0\r\n\r\n")
        assert connection.answer().status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("path", BODIES)
def test_a_bomb_is_refused_in_the_apis_own_shape(
    client: Client, fake: FakeBackend, path: str, coding: str
) -> None:
    bomb = COMPRESS[coding](b'{"model": "m", "x": "' + b" " * (3 * MOST_BYTES))
    assert len(bomb) < 100_000
    answer = client.call("POST", path, bomb, {"Content-Encoding": coding})
    assert answer.status == 413
    assert message_of(answer) == f"request body too large: at most {MOST_BYTES} bytes"
    assert answer.headers["connection"] == "close"
    assert not fake.requests
    eventually(lambda: _bodies_held() == 0, 3.0, "the end of what was held")


def test_as_much_as_may_be_is_served(client: Client, fake: FakeBackend) -> None:
    said = "x" * (MOST_BYTES - 1000)
    body = {"model": "m", "messages": [{"role": "user", "content": said}]}
    assert ask(client, CHAT, body, "zstd").status == 200
    assert fake.requests[-1].body["messages"][0]["content"] == said


def test_what_it_holds_is_counted_while_its_request_lasts(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.held(after=1))
    said = "x" * 3_000_000
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": said}]}
    sent = gzip.compress(json.dumps(body).encode())
    with client.open("POST", CHAT, sent, {"Content-Encoding": "gzip"}) as stream:
        assert stream.head().status == 200
        assert _bodies_held() > len(said)
        fake.release("go")
        assert b"".join(stream.pieces()).endswith(b"data: [DONE]\n\n")
    eventually(lambda: _bodies_held() == 0, 3.0, "the end of what was held")


def _bodies_held() -> int:
    guard = application.application_mapping["http"]
    assert isinstance(guard, Guard)
    return guard.bodies.held


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", [b"{}", gzip.compress(b'{"model": "m"}')[:-4]], ids=["no gzip", "cut short"])
def test_what_is_not_what_it_says_is_a_bad_request(client: Client, path: str, body: bytes) -> None:
    answer = client.call("POST", path, body, {"Content-Encoding": "gzip"})
    assert (answer.status, message_of(answer)) == (400, "the body is not valid gzip")


@pytest.mark.parametrize(("method", "path"), ELSEWHERE)
def test_elsewhere_it_is_refused(client: Client, method: str, path: str) -> None:
    answer = client.call(method, path, gzip.compress(b"{}"), {"Content-Encoding": "gzip"})
    assert (answer.status, message_of(answer)) == (
        415,
        "unsupported content encoding: send the body as it is",
    )


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, zstd", ""])
def test_other_codings_are_refused_with_those_that_are_taken(client: Client, coding: str) -> None:
    answer = client.call("POST", "/v1/messages", b"{}", {"Content-Encoding": coding})
    assert answer.status == 415
    assert "gzip, deflate or zstd" in message_of(answer)
    assert answer.json["type"] == "error"


def test_who_has_no_key_is_refused_before_anything_is_decompressed(client: Client, change: Change) -> None:
    change(require_key_on_loopback=True)
    assert client.call("POST", CHAT, b"no gzip", {"Content-Encoding": "gzip"}).status == 401
