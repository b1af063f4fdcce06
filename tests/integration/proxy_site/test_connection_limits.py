"""Clients that only wait lock nobody out: connections are bounded below the file descriptors there are."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import Serve
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.process import ServedProcess
from tests.support.raw_http import RawHTTP
from tests.support.waiting import eventually

DESCRIPTORS = 256
ALLOWED = (DESCRIPTORS - 64) // 2
MANY = 230
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
WAITING = {
    "for a first request": b"",
    "with an empty line": b"\r\n",
    "in a head": GET[:20],
    "for a further request": GET,
    "for a further request, behind an empty line": GET + b"\r\n",
    "with a body that nobody reads": b"POST /no HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
}


@pytest.fixture(scope="module")
def running(serve: Serve) -> ServedProcess:
    """A server with as few descriptors as `ulimit -n 256` leaves it."""
    process = serve(LLAMAGATE_DRAIN_TIMEOUT_S="1")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    return process


@pytest.fixture
def process(running: ServedProcess, database: None, fake: FakeBackend) -> Iterator[ServedProcess]:
    factories.route(fake)
    eventually(lambda: running.client.chat(stream=False).status == 200, 2.0, "the new route")
    yield running
    running.wait_open_files("socket:", at_most=20)


def connect(stack: ExitStack, process: ServedProcess, count: int, sent: bytes) -> list[RawHTTP]:
    connections = [stack.enter_context(RawHTTP(process.port)) for _ in range(count)]
    for connection in connections:
        connection.send(sent)
    return connections


@pytest.mark.parametrize("sent", WAITING.values(), ids=WAITING)
def test_who_only_waits_locks_nobody_out(process: ServedProcess, fake: FakeBackend, sent: bytes) -> None:
    with ExitStack() as stack:
        connect(stack, process, MANY, sent)
        assert process.client.chat().lines[-1]["done"] is True
        assert process.open_files("socket:") < ALLOWED + 20
        assert process.client.get("/api/tags").status == 200
    assert process.logged("too many connections", limit=ALLOWED, address="loopback")


def test_streams_are_not_cut_for_newcomers(process: ServedProcess, fake: FakeBackend) -> None:
    """All connections are busy: who comes now is told, and backends can still be reached."""
    fake.script("m", scripts.held(after=1))
    with ExitStack() as stack:
        streams = [stack.enter_context(process.client.open_chat()) for _ in range(ALLOWED)]
        assert {stream.head().status for stream in streams} == {200}
        with RawHTTP(process.port) as refused:
            answer = refused.answer()
            assert (answer.status, answer.error) == (503, "too many connections: try again later")
            assert refused.is_closed_within(1.0)
        fake.release("go")
        assert all(list(stream.lines())[-1]["done"] for stream in streams)
    assert process.client.chat().status == 200
