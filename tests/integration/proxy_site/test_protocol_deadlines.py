"""Every state of a connection ends by itself, whatever application and client do or leave undone."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from proxy_site import protocol
from tests.conftest import Change
from tests.support.raw_http import CutShort, RawHTTP
from tests.support.served_app import Message, Receive, Send, ServedApp
from tests.support.waiting import PATIENCE_S, eventually

SOON_S = PATIENCE_S
STALL_S = 1.0
BIG = 32 * 1024 * 1024
OK = {"type": "http.response.start", "status": 200, "headers": []}
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UNFINISHED = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx"


class Application:
    """Does what the path says."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.go_on = threading.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        what = scope["path"].strip("/") or "answer"
        await getattr(self, f"_{what}")(receive, send)

    async def _answer(self, receive: Receive, send: Send, body: bytes = b"ok") -> None:
        await send(dict(OK, headers=[(b"content-length", b"%d" % len(body))]))
        await send({"type": "http.response.body", "body": body})

    async def _big(self, receive: Receive, send: Send) -> None:
        await self._answer(receive, send, b"x" * BIG)

    async def _wait(self, receive: Receive, send: Send) -> None:
        """Never take the body, and wait for the client to leave."""
        await asyncio.to_thread(self.go_on.wait, 60.0)
        self.heard.append((await receive())["type"])

    async def _read_one(self, receive: Receive, send: Send) -> None:
        await receive()
        self.heard.append((await receive())["type"])

    async def _start(self, receive: Receive, send: Send) -> None:
        """Begin to answer before the body is there."""
        await send(OK)
        await send({"type": "http.response.body", "body": b"early", "more_body": True})
        await self._read_one(receive, send)

    async def _fail(self, receive: Receive, send: Send) -> None:
        raise ValueError("a secret")

    async def _fail_late(self, receive: Receive, send: Send) -> None:
        await send(OK)
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise ValueError("a secret")

    async def _forget(self, receive: Receive, send: Send) -> None:
        """Return without a word."""

    async def _wrong_length(self, receive: Receive, send: Send) -> None:
        await send(dict(OK, headers=[(b"content-length", b"5")]))
        await send({"type": "http.response.body", "body": b"four"})

    async def _split(self, receive: Receive, send: Send) -> None:
        await send(dict(OK, headers=[(b"x-split", b"a\r\nx-more: b")]))

    async def _no_content(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def served(application: Application, change: Change) -> Iterator[ServedApp]:
    change(head_timeout_s=SOON_S, keep_alive_s=SOON_S, body_timeout_s=SOON_S, idle_timeout_s=PATIENCE_S)
    with ServedApp(application) as server:
        yield server
        application.go_on.set()
        eventually(lambda: server.connections == 0, 10.0, "the end of all connections")
        eventually(lambda: server.requests_under_way == 0, 10.0, "the end of all requests")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_GRACE_S", 0.0)
    monkeypatch.setattr(protocol, "LINGER_S", SOON_S)


@pytest.fixture
def raw(served: ServedApp) -> Iterator[RawHTTP]:
    with RawHTTP(served.port) as connection:
        yield connection


def test_an_idle_connection_is_closed(raw: RawHTTP) -> None:
    raw.send(GET)
    assert raw.answer().body == b"ok"
    assert raw.is_closed_within(SOON_S + 2)


def test_an_empty_line_does_not_keep_an_idle_connection(raw: RawHTTP) -> None:
    """One disarmed the timer for good."""
    raw.send(GET)
    assert raw.answer().body == b"ok"
    raw.send(b"\r\n")
    assert raw.is_closed_within(SOON_S + 2)


def test_empty_lines_do_not_lengthen_its_time(raw: RawHTTP) -> None:
    raw.send(GET)
    raw.answer()
    began = time.monotonic()
    with pytest.raises((ConnectionError, TimeoutError)):
        while time.monotonic() - began < SOON_S + 2:
            raw.send(b"\r\n")
            if raw.wait_readable(0.05):
                raise ConnectionError
    assert time.monotonic() - began < SOON_S + 2


def test_empty_lines_before_a_first_request_do_not_either(raw: RawHTTP) -> None:
    raw.send(b"\r\n")
    assert raw.head().status == 408
    assert raw.is_closed_within(1.0)


def test_a_request_behind_an_empty_line_is_answered(raw: RawHTTP) -> None:
    for _ in range(3):
        raw.send(GET + b"\r\n")
        assert raw.answer().body == b"ok"


@pytest.mark.parametrize("path", [b"wait", b"start"])
def test_a_body_that_stays_away_ends(
    raw: RawHTTP, served: ServedApp, application: Application, path: bytes
) -> None:
    """Whether or not anybody reads it, and after the answer has begun."""
    raw.send(UNFINISHED % path)
    assert raw.is_closed_within(SOON_S + 2)
    application.go_on.set()
    eventually(lambda: application.heard == ["http.disconnect"], 2.0, "that the client is gone")


def test_a_body_that_nobody_takes_is_bounded_and_ends(
    raw: RawHTTP, served: ServedApp, application: Application
) -> None:
    raw.send(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
    sent = 0
    with pytest.raises(ConnectionError):
        while sent < 100_000_000:
            raw.send(b"x" * 65536)
            sent += 65536
    assert sent < BIG
    application.go_on.set()
    eventually(lambda: application.heard == ["http.disconnect"], 2.0, "that the client is gone")


def test_an_early_answer_is_the_last_and_says_so(raw: RawHTTP) -> None:
    raw.send(UNFINISHED % b"answer")
    answer = raw.answer()
    assert (answer.body, answer.headers["connection"]) == (b"ok", "close")
    assert raw.is_closed_within(1.0)


def test_a_client_that_leaves_is_noticed_while_nobody_listens_to_it(
    served: ServedApp, application: Application
) -> None:
    with RawHTTP(served.port) as connection:
        connection.send(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + GET)
        eventually(lambda: served.requests_under_way == 1, 2.0, "the request")
    eventually(lambda: served.connections == 0, 2.0, "that the connection is gone")


def test_an_answer_that_nobody_reads_ends_the_connection(served: ServedApp) -> None:
    """Also a small one, and one that closes: what is unsent does not keep it."""
    with RawHTTP(served.port, receive_buffer=4096) as connection:
        connection.send(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually(lambda: served.connections == 1, 2.0, "the connection")
        eventually(lambda: served.connections == 0, 2 * PATIENCE_S + 2, "its end")


def test_an_answer_that_is_read_slowly_is_read_whole(served: ServedApp, change: Change) -> None:
    """It takes several times as long as one may leave it unread."""
    change(idle_timeout_s=STALL_S)
    with RawHTTP(served.port) as connection:
        connection.send(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got, began = 0, time.monotonic()
        while data := connection.socket.recv(1024 * 1024):
            got += len(data)
            connection.wait_silent(0.06 if time.monotonic() - began < 4 * STALL_S else 0)
        assert got > BIG
        assert time.monotonic() - began > 2 * STALL_S


# What the application does wrong


def test_an_application_that_fails_is_no_riddle_for_the_client(raw: RawHTTP) -> None:
    for path in (b"fail", b"forget", b"split"):
        with RawHTTP(raw.socket.getpeername()[1]) as connection:
            connection.send(GET.replace(b"/ ", b"/%b " % path, 1))
            answer = connection.answer()
            assert (answer.status, answer.json) == (500, {"error": "internal server error"})
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert connection.is_closed_within(1.0)


def test_an_answer_that_breaks_off_does_not_look_whole(served: ServedApp) -> None:
    for path in (b"fail_late", b"wrong_length"):
        with RawHTTP(served.port) as connection:
            connection.send(GET.replace(b"/ ", b"/%b " % path, 1))
            with pytest.raises(CutShort):
                connection.answer()


def test_older_clients_get_no_chunks_and_are_closed_on(served: ServedApp) -> None:
    with RawHTTP(served.port) as connection:
        connection.send(b"GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
        answer = connection.answer()
        assert (answer.body, answer.headers["connection"]) == (b"ok", "close")
        assert connection.is_closed_within(1.0)


def test_an_answer_without_content_has_no_framing(raw: RawHTTP) -> None:
    for _ in range(2):
        raw.send(GET.replace(b"/ ", b"/no_content ", 1))
        answer = raw.answer()
        assert answer.status == 204
        assert not {"transfer-encoding", "content-length"} & answer.headers.keys()
