"""Two workers on one socket, bound to all addresses: they follow what is saved, and replace who dies."""

import os
import signal
from contextlib import ExitStack

import pytest
from django.utils import timezone

from backends.models import Backend
from tests.conftest import Serve
from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import factories, legs
from tests.support.process import START_S, ServedProcess
from tests.support.raw_http import Client, text_of
from tests.support.waiting import eventually

A_SECOND = 1.0
MANY = 40
"""Requests that meet both workers, as good as surely: each has a connection of its own."""


@pytest.fixture(scope="module")
def process(serve: Serve) -> ServedProcess:
    """Two workers; with Redis, as is recommended, where there is one."""
    redis = {} if legs.missing(legs.REDIS) else {"REDIS_URL": legs.url(legs.REDIS)}
    return serve("--workers", "2", HOST="0.0.0.0", LLAMAGATE_FIRST_EVENT_TIMEOUT_S="60", **redis)


@pytest.fixture
def keyed(database: None, process: ServedProcess, fake: FakeBackend) -> Client:
    """A client with a key, whom both workers know."""
    factories.route(fake)
    _, secret = factories.key(factories.team())
    client = Client(process.port, {"X-API-Key": secret})
    eventually(lambda: all_say(client, REPLY_TEXT), 5.0, "both workers")
    return client


def said(client: Client) -> str:
    """Give what a chat says, or the status of its refusal."""
    answer = client.chat()
    return text_of(answer.lines) if answer.status == 200 else str(answer.status)


def all_say(client: Client, text: str) -> bool:
    """Whether many requests, one after the other, are all answered so."""
    return all(said(client) == text for _ in range(MANY))


def test_bound_to_all_addresses_they_are_closed(process: ServedProcess, keyed: Client) -> None:
    assert len(process.workers) == 2
    assert "Clients need a key here, and there is none yet" in process.output
    assert all_say(process.client, "401")
    assert {process.client.get("/").status for _ in range(MANY)} == {200}


def test_a_former_name_of_a_setting_is_told_once(process: ServedProcess, keyed: Client) -> None:
    told = "LLAMAGATE_FIRST_EVENT_TIMEOUT_S is called LLAMAGATE_FIRST_TOKEN_TIMEOUT_S now"
    assert process.output.count(told) == 1


def test_a_save_is_served_by_both_within_a_second(keyed: Client) -> None:
    with FakeBackend() as other:
        other.script("*", scripts.saying("other"))
        Backend.objects.update(base_url=other.base_url)
        eventually(lambda: all_say(keyed, "other"), A_SECOND, "both")


def test_a_revoked_key_is_refused_by_both_within_a_second(process: ServedProcess, keyed: Client) -> None:
    row, secret = factories.key(factories.team("another"))
    revoked = Client(process.port, {"X-API-Key": secret})
    eventually(lambda: all_say(revoked, REPLY_TEXT), 5.0, "the key")
    row.revoked_at = timezone.now()
    row.save()
    eventually(lambda: all_say(revoked, "401"), A_SECOND, "its end")
    assert all_say(keyed, REPLY_TEXT)


def test_a_killed_worker_is_replaced_and_the_other_serves_on(process: ServedProcess, keyed: Client) -> None:
    killed, other = process.workers
    os.kill(killed, signal.SIGKILL)
    assert all_say(keyed, REPLY_TEXT)
    eventually(lambda: len(set(process.workers) - {killed}) == 2, 5.0, "another worker")
    assert other in process.workers
    assert len(process.wait_logged("worker died, starting another")) == 1
    os.kill(other, signal.SIGSTOP)
    try:  # now only the new one can answer
        process.client.wait_ready(START_S)
    finally:
        os.kill(other, signal.SIGCONT)


def test_they_drain_together(process: ServedProcess, keyed: Client, fake: FakeBackend) -> None:
    """The last test of the module: nothing runs after it."""
    fake.script("m", scripts.held(after=1))
    with ExitStack() as streams:
        chats = [streams.enter_context(keyed.open_chat()) for _ in range(10)]
        assert [chat.head().status for chat in chats] == [200] * 10
        process.terminate()
        process.wait_logged("draining", 2)
        # Nobody new waits for an answer that does not come: the parent has let go of the socket, too.
        eventually(process.refuses_connections, A_SECOND, "the end of listening")
        fake.release("go")
        assert [list(chat.lines())[-1]["done"] for chat in chats] == [True] * 10
    assert process.wait() == 0
