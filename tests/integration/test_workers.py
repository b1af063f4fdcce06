"""Two workers on one socket: both follow what is saved, a dead one is replaced, all drain together."""

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
    """Two workers; with Redis, as the operator's guide has it, where there is one."""
    redis = {} if legs.missing(legs.REDIS) else {"REDIS_URL": legs.url(legs.REDIS)}
    return serve("--workers", "2", **redis)


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend, process: ServedProcess) -> None:
    factories.route(fake)
    eventually(lambda: all_say(process.client, REPLY_TEXT), 5.0, "both workers")


def all_say(client: Client, text: str) -> bool:
    """Whether many requests, one after the other, are all answered so."""
    return all(text_of(client.chat().lines) == text for _ in range(MANY))


def statuses(client: Client, secret: str) -> set[int]:
    return {client.chat(headers={"X-API-Key": secret}).status for _ in range(MANY)}


def test_both_serve(process: ServedProcess) -> None:
    assert len(process.workers) == 2
    assert all(process.client.get("/").status == 200 for _ in range(MANY))


def test_a_save_is_served_by_both_within_a_second(process: ServedProcess, fake: FakeBackend) -> None:
    with FakeBackend() as other:
        other.script("*", scripts.saying("other"))
        Backend.objects.update(base_url=other.base_url)
        eventually(lambda: text_of(process.client.chat().lines) == "other", A_SECOND, "the first of them")
        eventually(lambda: all_say(process.client, "other"), A_SECOND, "both")


def test_a_revoked_key_is_refused_by_both_within_a_second(process: ServedProcess) -> None:
    row, secret = factories.key(factories.team())
    eventually(lambda: statuses(process.client, secret) == {200}, 2 * A_SECOND, "the key")
    row.revoked_at = timezone.now()
    row.save()
    eventually(lambda: statuses(process.client, secret) == {401}, 2 * A_SECOND, "its end")


def test_a_killed_worker_is_replaced_and_the_other_serves_on(process: ServedProcess) -> None:
    killed, other = process.workers
    os.kill(killed, signal.SIGKILL)
    assert all_say(process.client, REPLY_TEXT)
    eventually(lambda: len(set(process.workers) - {killed}) == 2, 5.0, "another worker")
    assert other in process.workers
    assert len(process.wait_logged("worker died, starting another")) == 1
    os.kill(other, signal.SIGSTOP)
    try:  # now only the new one can answer
        process.client.wait_ready(START_S)
    finally:
        os.kill(other, signal.SIGCONT)


def test_all_drain_together(process: ServedProcess, fake: FakeBackend) -> None:
    """The last test of the module: nothing runs after it."""
    fake.script("m", scripts.held(after=1))
    with ExitStack() as streams:
        chats = [streams.enter_context(process.client.open_chat()) for _ in range(10)]
        assert [chat.head().status for chat in chats] == [200] * 10
        process.terminate()
        process.wait_logged("draining", 2)
        fake.release("go")
        assert [list(chat.lines())[-1]["done"] for chat in chats] == [True] * 10
    assert process.wait() == 0
