"""HTTP as the fake speaks it: connections kept and closed, requests in any cut, nothing that waits."""

import socket
import time

import pytest

from . import FakeBackend
from .client import Client, raw_chat
from .wire import BadRequest, RequestParser, response_head


def test_keep_alive_uses_one_connection(fake: FakeBackend, client: Client) -> None:
    client.stream()
    client.whole()
    client.stream()
    assert [(r.connection, r.nth) for r in fake.requests] == [(1, 1), (1, 2), (1, 3)]
    assert fake.open_connections == 1


def test_no_write_waits_for_an_acknowledgement(fake: FakeBackend, client: Client) -> None:
    """Without TCP_NODELAY each exchange after the first takes the 40 ms of a delayed acknowledgement."""
    took = []
    for _ in range(5):
        start = time.monotonic()
        client.stream()
        took.append(time.monotonic() - start)
    assert min(took[1:]) < 0.03


def test_connection_close_is_honoured(fake: FakeBackend, client: Client) -> None:
    response = client.call("GET", "/v1/models", Connection="close")
    assert response.headers["connection"] == "close"
    assert response.read()
    fake.wait_for(lambda: fake.open_connections == 0)


CHUNKED = (
    b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    b'5\r\n{"mod\r\n10\r\nel":"m","prompt"\r\n3;x=y\r\n:""\r\n1\r\n}\r\n0\r\n\r\n'
)


@pytest.mark.parametrize("size", [1, 7, len(CHUNKED) + 10, 2 * len(CHUNKED)])
def test_parser_takes_any_cut_of_the_bytes(size: int) -> None:
    parser, found, data = RequestParser(), [], CHUNKED * 2
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
        while request := parser.next():
            found.append(request)
    assert [request.method for request in found] == ["POST", "POST"]
    assert {request.body for request in found} == {b'{"model":"m","prompt":""}'}


def test_pipelined_requests_are_answered_in_order(fake: FakeBackend) -> None:
    with socket.create_connection(("127.0.0.1", fake.port), timeout=5) as peer:
        peer.sendall(CHUNKED * 3)
        fake.wait_finished(3)
    assert [(request.nth, request.model) for request in fake.requests] == [(1, "m"), (2, "m"), (3, "m")]


def test_expect_continue_is_answered_before_the_body(fake: FakeBackend) -> None:
    with socket.create_connection(("127.0.0.1", fake.port), timeout=5) as peer:
        peer.sendall(b"POST /v1/x HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"{}")
        assert peer.recv(100).startswith(b"HTTP/1.1 404 ")


def test_old_http_and_no_http_end_with_the_connection(fake: FakeBackend) -> None:
    def ask(data: bytes) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", fake.port), timeout=5) as peer,
            peer.makefile("rb") as file,
        ):
            peer.sendall(data)
            return file.read()

    old = ask(raw_chat(stream=True).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert old.endswith(b"data: [DONE]\n\n")
    assert b"chunked" not in old
    assert ask(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_parser_refuses_what_is_not_http(data: bytes) -> None:
    parser = RequestParser()
    parser.feed(data)
    with pytest.raises(BadRequest):
        parser.next()


def test_a_status_without_a_name_can_be_sent() -> None:
    assert response_head(529, [("a", "b")]) == b"HTTP/1.1 529 Unknown\r\na: b\r\n\r\n"
