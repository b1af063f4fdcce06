"""One request at a time: what a client sends ahead waits, is bounded, and hides nothing of its leaving."""

import json
from collections.abc import Callable

import pytest

from tests.conftest import Change
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Client, RawHTTP, chat_body, text_of
from tests.support.waiting import PATIENCE_S

GET = b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n"
WEBSOCKET = (
    b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
AHEAD = {
    "nothing": b"",
    "a request": GET,
    "many requests": GET * 100,
    "a part of a request": GET[:20],
    "an empty line": b"\r\n",
    "a WebSocket": WEBSOCKET,
    "an offer of HTTP/2": GET.replace(b"\r\n\r\n", b"\r\n" + OFFER + b"\r\n"),
    "no request": b"\x16\x03\x01\x02\x00\r\n\r\n",
    "a body": b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + b"x" * 50_000,
}
ahead = pytest.mark.parametrize("more", AHEAD.values(), ids=AHEAD)
Leave = Callable[[RawHTTP], None]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def open_stream(client: Client, fake: FakeBackend, more: bytes) -> RawHTTP:
    """Ask for a stream that stops after two words, and send something behind it."""
    fake.script("m", scripts.held(after=2))
    chat = client.open_chat()
    chat.head()
    lines = chat.lines()
    assert [next(lines)["message"]["content"] for _ in range(2)] == ["Hello ", "from "]
    chat.send(more)
    return chat


@ahead
@pytest.mark.parametrize("leave", [RawHTTP.leave, RawHTTP.reset], ids=["FIN", "RST"])
def test_a_client_that_leaves_is_noticed(
    client: Client, fake: FakeBackend, ledger: RecordSpy, more: bytes, leave: Leave
) -> None:
    leave(open_stream(client, fake, more))
    fake.wait_aborted(timeout=1.0)
    assert outcomes(ledger.wait(1)) == ["client_closed"]


@ahead
def test_nothing_is_written_into_a_stream(
    client: Client, fake: FakeBackend, change: Change, more: bytes
) -> None:
    """Neither the 408 of a head that stays away, nor the answer to an upgrade, nor a 400."""
    change(head_timeout_s=PATIENCE_S, keep_alive_s=PATIENCE_S)
    with open_stream(client, fake, more) as chat:
        assert not chat.wait_readable(PATIENCE_S + 0.5)
        fake.release("go")
        *said, last = chat.lines()
        assert (text_of(said), last["done"]) == ("the fake backend.", True)


def test_what_was_sent_ahead_is_answered_in_order(client: Client, fake: FakeBackend) -> None:
    body = json.dumps(chat_body("echo: ahead", stream=False)).encode()
    post = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with open_stream(client, fake, GET + b"\r\n" + post[:-9]) as chat:
        fake.release("go")
        assert list(chat.lines())[-1]["done"] is True
        assert "version" in chat.answer().json
        chat.send(post[-9:] + WEBSOCKET)
        assert chat.answer().status == 200
        assert chat.answer().status in (403, 404)


def test_who_sends_too_much_ahead_is_hung_up_on(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    with open_stream(client, fake, GET * (64 * 1024 // len(GET))) as chat:
        assert not chat.wait_readable(0.2)
        chat.send(GET)
        fake.wait_aborted(timeout=1.0)
        assert outcomes(ledger.wait(1)) == ["client_closed"]
        assert chat.is_closed_within(1.0)


def test_requests_behind_each_other_have_ids_of_their_own(client: Client) -> None:
    with RawHTTP(client.port) as connection:
        connection.send(GET * 3)
        answers = [connection.answer() for _ in range(3)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


def test_two_offers_of_http2_in_one_segment_are_two_requests(client: Client) -> None:
    """The tail of the second's head was once served as a third request."""
    hidden = b"GET /api/tags HTTP/1.1\r\nAccept: */*\r\n\r\n"
    first = GET.replace(b"\r\n\r\n", b"\r\n" + OFFER + b"\r\n")
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for padding in range(0, 200, 5):
        tail = b"X-Tail: " + b"a" * padding + hidden
        second = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n" + OFFER + tail
        with RawHTTP(client.port) as connection:
            connection.send(first + second + last)
            assert [connection.answer().status for _ in range(3)] == [200, 404, 200]
            assert connection.is_closed_within(1.0)


def test_a_tunnel_hides_no_request(client: Client) -> None:
    with RawHTTP(client.port) as connection:
        connection.send(b"CONNECT /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET)
        assert connection.answer().status in (400, 404, 405)
        assert connection.is_closed_within(1.0)


def test_a_websocket_that_is_refused_leaves_nothing(client: Client) -> None:
    with RawHTTP(client.port) as connection:
        connection.send(WEBSOCKET + b"\x81\x80\x00\x00\x00\x00")
        assert connection.head().status in (403, 404)
        assert connection.is_closed_within(1.0)


def test_a_slow_body_behind_a_stream_has_its_own_time(client: Client, fake: FakeBackend) -> None:
    with open_stream(client, fake, AHEAD["a body"]) as chat:
        fake.release("go")
        assert list(chat.lines())[-1]["done"] is True
        chat.send(b"x" * 10_000)
        assert chat.answer().status == 400
