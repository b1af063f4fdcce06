"""PostgreSQL is stopped under a server that serves, and comes back."""

import time
from collections.abc import Iterator

import pytest

from tests.conftest import Serve
from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support.databases import OwnDatabase, own_database
from tests.support.process import ServedProcess
from tests.support.raw_http import text_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.postgres
OUTAGE_S = 4.0


@pytest.fixture(scope="module")
def own() -> Iterator[OwnDatabase]:
    with own_database("llamagate_test_outage") as made:
        yield made


@pytest.fixture
def process(serve: Serve, own: OwnDatabase, fake: FakeBackend) -> ServedProcess:
    return serve(DATABASE_URL=own.url, OPENAI_API_KEY="sk-1", OPENAI_BASE_URL=fake.base_url)


def said(process: ServedProcess) -> str:
    answer = process.client.chat(model="fake-model")
    return text_of(answer.lines) if answer.status == 200 else answer.text


def test_a_stopped_database_stops_no_chat(
    process: ServedProcess, own: OwnDatabase, fake: FakeBackend
) -> None:
    fake.script("fake-model", scripts.held(after=1))
    with process.client.open_chat(model="fake-model") as running, FakeBackend() as other:
        assert running.head().status == 200
        fake.script("fake-model", None)
        own.stop()
        process.wait_logged("database away: serving from the last snapshot")
        _serve_through(process, OUTAGE_S)
        fake.release("go")
        assert text_of(running.lines()) == REPLY_TEXT
        own.start()
        other.script("*", scripts.saying("other"))
        own.execute(
            "DELETE FROM backends_credential;"  # it was given for one server, and would not go to the other
            f"UPDATE backends_backend SET base_url = '{other.base_url}';"
            "UPDATE backends_configrevision SET number = number + 1 WHERE name = 'routing'"
        )
        eventually(lambda: said(process) == "other", 2.0, "the change after the outage, without a restart")
    assert len(process.wait_logged("database back")) == 1
    assert len(process.logged("database away: serving from the last snapshot")) == 1


def _serve_through(process: ServedProcess, seconds: float) -> None:
    """Chat all the while; no answer waits for the database."""
    end = time.monotonic() + seconds
    while (start := time.monotonic()) < end:
        assert said(process) == REPLY_TEXT
        assert time.monotonic() - start < 1.0
