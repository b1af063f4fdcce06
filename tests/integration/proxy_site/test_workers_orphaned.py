"""Workers whose parent is killed: they do what it would have told them, and end."""

import os
import signal

import pytest

from tests.conftest import Serve
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.process import ServedProcess, is_running
from tests.support.waiting import eventually

END_S = 30.0
"""A worker that is being started loads everything first, on a machine that may be busy."""


@pytest.fixture
def process(database: None, serve: Serve, fake: FakeBackend) -> ServedProcess:
    factories.route(fake)
    return serve("--workers", "2", LLAMAGATE_DRAIN_TIMEOUT_S="60")


@pytest.mark.timeout(120)
def test_workers_of_a_killed_parent_drain_and_end(process: ServedProcess, fake: FakeBackend) -> None:
    """Also one that was just being started."""
    first, serving = process.workers
    os.kill(first, signal.SIGKILL)
    starting = next(iter(eventually(lambda: set(process.workers) - {first, serving}, 15.0, "another worker")))
    fake.script("m", scripts.held(after=1))
    with process.client.open_chat() as chat:
        assert chat.head().status == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # The port is free for the next start, and what is open comes to its end.
        eventually(process.refuses_connections, END_S, "the end of listening")
        fake.release("go")
        assert list(chat.lines())[-1]["done"] is True
    eventually(lambda: not is_running(serving) and not is_running(starting), END_S, "the end of the workers")
    assert process.logged("the parent is gone: this worker drains and ends")
