"""An answer that comes before the request is whole reaches its client, although that is still sending."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from proxy_site import protocol
from tests.conftest import Change
from tests.support.raw_http import Answer, Client, RawHTTP
from tests.support.waiting import PATIENCE_S

TRIES = 100
PIECE = b"x" * 65536
A_BODY = 4 * 1024 * 1024
KERNEL_BUFFERS = 32 * 1024 * 1024
HOST = b"Host: localhost\r\n"
CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = {
    "401": (401, b"POST /api/chat HTTP/1.1\r\n" + CHUNKED, b"10000\r\n" + PIECE + b"\r\n"),
    "404": (404, b"POST /nothing HTTP/1.1\r\n" + CHUNKED, b"10000\r\n" + PIECE + b"\r\n"),
    "413": (413, b"POST /api/chat HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\n", PIECE),
    "a blob": (401, b"POST /api/blobs/x HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\n", PIECE),
    "403": (403, b"POST /api/chat HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 999999\r\n\r\n", PIECE),
    "400": (400, b"POST /api/chat HTTP/9\r\n\r\n", PIECE),
    "431": (431, b"POST /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + CHUNKED, PIECE),
}
early = pytest.mark.parametrize(("status", "head", "piece"), EARLY.values(), ids=EARLY)


@pytest.fixture(autouse=True)
def _keys(database: None, change: Change) -> None:
    """Who has no key is told before the body is read."""
    change(require_key_on_loopback=True)


class Writer:
    """Sends as fast as it can, like a client that writes in one thread and reads in another.

    Go's is one: an error of writing that comes before the answer was read is all that its caller hears of.
    """

    def __init__(self, connection: RawHTTP, head: bytes, piece: bytes) -> None:
        self._connection = connection
        self._head, self._piece = head, piece
        self._stopped = threading.Event()
        self.error: OSError | None = None
        self.sent = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._connection.send(self._head)
            while not self._stopped.is_set():
                self._connection.send(self._piece)
                self.sent += len(self._piece)
        except OSError as error:
            self.error = error

    def stop(self) -> None:
        self._stopped.set()
        with suppress(OSError):  # it is gone already
            self._connection.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def wait_error(self, timeout: float) -> None:
        self._thread.join(timeout)
        assert self.error is not None, "it is still let to send"


def answer_while_writing(port: int, head: bytes, piece: bytes) -> Answer:
    """Read the answer while another thread goes on sending."""
    with RawHTTP(port) as connection:
        writer = Writer(connection, head, piece)
        try:
            answer = connection.answer()
            assert writer.error is None
        finally:
            writer.stop()
    return answer


@early
def test_who_writes_on_and_reads_gets_the_answer_every_time(
    client: Client, status: int, head: bytes, piece: bytes
) -> None:
    for _ in range(TRIES):
        answer = answer_while_writing(client.port, head, piece)
        assert (answer.status, answer.headers["connection"]) == (status, "close")


@early
def test_who_reads_only_when_all_is_written_gets_the_answer_every_time(
    client: Client, status: int, head: bytes, piece: bytes
) -> None:
    for _ in range(TRIES // 5):
        with RawHTTP(client.port) as connection:
            connection.send(head)
            for _ in range(A_BODY // len(piece)):
                connection.send(piece)
            assert connection.answer().status == status


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Linger for a time that can be waited for."""
    monkeypatch.setattr(protocol, "LINGER_S", PATIENCE_S)
    monkeypatch.setattr(protocol, "MAX_LINGER_BYTES", 1024 * 1024)
    yield PATIENCE_S


@early
def test_who_never_stops_writing_is_hung_up_on(
    client: Client, short: float, status: int, head: bytes, piece: bytes
) -> None:
    with RawHTTP(client.port) as connection:
        writer = Writer(connection, head, piece)
        assert connection.answer().status == status
        began = time.monotonic()
        writer.wait_error(short + 3.0)
        assert time.monotonic() - began > short / 2, "the answer has time to arrive"
        assert writer.sent < KERNEL_BUFFERS
        writer.stop()


@early
def test_who_stays_silent_is_hung_up_on(
    client: Client, short: float, status: int, head: bytes, piece: bytes
) -> None:
    """One byte after the answer used to disarm the timer for good."""
    with RawHTTP(client.port) as connection:
        connection.send(head + piece[:1])
        assert connection.answer().status == status
        assert connection.is_closed_within(1.0), "the server's sending half"
        connection.send(piece[:1])
        wait_reset(connection, short + 3.0)


def wait_reset(connection: RawHTTP, timeout: float) -> None:
    """Wait until sending fails: nobody is there any more."""
    deadline = time.monotonic() + timeout
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            connection.send(b"x")
            connection.wait_silent(0.05)


def test_a_whole_request_keeps_its_connection_after_a_refusal(client: Client) -> None:
    with RawHTTP(client.port) as connection:
        for _ in range(3):
            connection.request("POST", "/api/chat", {"model": "m"})
            answer = connection.answer()
            assert (answer.status, "connection" in answer.headers) == (401, False)


def test_endless_trailers_are_ended(client: Client, short: float) -> None:
    """They were kept without a bound: one connection took the process to 1,230 MiB."""
    sent = 0
    with RawHTTP(client.port) as connection:
        connection.send(b"POST /api/chat HTTP/1.1\r\n" + CHUNKED + b"0\r\n")
        with pytest.raises(ConnectionError):
            while sent < 2 * KERNEL_BUFFERS:
                connection.send(b"X-Trailer: " + PIECE + b"\r\n")
                sent += len(PIECE)
        assert sent < KERNEL_BUFFERS
