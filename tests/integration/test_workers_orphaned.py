"""Workers whose parent is killed: they do what it would have told them, and end."""

import os
import signal

import pytest

from tests.conftest import Serve
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.process import ServedProcess, is_running
from tests.support.waiting import eventually


@pytest.fixture
def process(database: None, serve: Serve, fake: FakeBackend) -> ServedProcess:
    factories.route(fake)
    return serve("--workers", "2", LLAMAGATE_DRAIN_TIMEOUT_S="20")


def test_workers_of_a_killed_parent_drain_and_end(process: ServedProcess, fake: FakeBackend) -> None:
    workers = process.workers
    assert len(workers) == 2
    fake.script("m", scripts.held(after=1))
    with process.client.open_chat() as chat:
        assert chat.head().status == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # The port is free for the next start at once, and what is open comes to its end.
        eventually(process.refuses_connections, 5.0, "the end of listening")
        fake.release("go")
        assert list(chat.lines())[-1]["done"] is True
    eventually(lambda: not any(map(is_running, workers)), 10.0, "the end of the workers")
    assert len(process.logged("the parent is gone: this worker drains and ends")) == 2


def test_a_worker_that_is_just_starting_ends_too(process: ServedProcess) -> None:
    before = process.workers
    os.kill(before[0], signal.SIGKILL)
    (started,) = eventually(lambda: set(process.workers) - set(before), 10.0, "another worker")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    eventually(lambda: not any(map(is_running, [*before, started])), 20.0, "the end of the workers")
