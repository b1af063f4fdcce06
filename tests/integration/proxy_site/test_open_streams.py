"""A hundred open streams hold no thread and no database connection, and finish although the server stops."""

from contextlib import ExitStack

import pytest

from tests.conftest import Serve
from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import databases, factories
from tests.support.process import ServedProcess
from tests.support.raw_http import RawHTTP, text_of
from tests.support.waiting import eventually

STREAMS = 100
A_HANDFUL = 5


@pytest.fixture(scope="module")
def running(serve: Serve) -> ServedProcess:
    return serve()


@pytest.fixture
def process(running: ServedProcess, database: None, fake: FakeBackend) -> ServedProcess:
    """A server that knows the fake."""
    factories.route(fake)
    eventually(lambda: running.client.chat(stream=False).status == 200, 2.0, "the new route")
    return running


def _database_connections(process: ServedProcess) -> int:
    """Count connections on PostgreSQL; on SQLite the open descriptors of the file."""
    return databases.connections() if databases.is_postgres() else process.open_files(databases.file())


def _open(streams: ExitStack, process: ServedProcess) -> list[RawHTTP]:
    opened = [streams.enter_context(process.client.open_chat()) for _ in range(STREAMS)]
    assert [chat.head().status for chat in opened] == [200] * STREAMS
    return opened


def test_a_hundred_open_streams_cost_a_handful_of_threads_and_connections(
    process: ServedProcess, fake: FakeBackend
) -> None:
    fake.script("m", scripts.held(after=1))
    idle_threads = process.threads
    with ExitStack() as streams:
        opened = _open(streams, process)
        assert fake.open_connections >= STREAMS
        assert process.threads - idle_threads <= A_HANDFUL
        assert _database_connections(process) <= A_HANDFUL
        # Alive all the while, and nobody's stream is another's.
        assert process.client.get("/api/version").status == 200
        fake.release("go")
        ends = [list(chat.lines())[-1] for chat in opened]
    assert [end["done"] for end in ends] == [True] * STREAMS
    assert len(process.wait_logged("request", STREAMS + 1, outcome="ok")) == STREAMS + 1


def test_requests_that_are_over_leave_no_descriptor(process: ServedProcess, fake: FakeBackend) -> None:
    fake.script("m", scripts.held(after=1))
    before = process.open_files("")
    with ExitStack() as streams:
        _open(streams, process)
        assert process.open_files("") >= before + STREAMS
    assert len(fake.wait_aborted(STREAMS)) == STREAMS
    process.wait_open_files("", at_most=before + A_HANDFUL)


def test_at_sigterm_open_streams_finish_and_nobody_new_is_let_in(
    process: ServedProcess, fake: FakeBackend
) -> None:
    """The last test of the module: nothing runs after it."""
    fake.script("m", scripts.held(after=1))
    with ExitStack() as streams:
        opened = _open(streams, process)
        idle = streams.enter_context(RawHTTP(process.port))
        process.terminate()
        eventually(process.refuses_connections, 3.0, "the end of listening")
        assert idle.is_closed_within(1.0)
        fake.release("go")
        read = [list(chat.lines()) for chat in opened]
    assert {text_of(lines) for lines in read} == {REPLY_TEXT}
    assert [lines[-1]["done"] for lines in read] == [True] * STREAMS
    assert process.wait() == 0
