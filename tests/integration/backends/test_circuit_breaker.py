"""A target that fails again and again is not asked while another is there, and used again when it is back."""

from collections.abc import Callable

import pytest

from backends import services
from backends.health import board, recovery
from backends.models import Backend, MappingTarget
from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client, text_of
from tests.support.waiting import eventually

FAILURES = 5


@pytest.fixture
def _two(database: None, fake: FakeBackend, second: FakeBackend) -> None:
    second.script("m", scripts.saying("second"))
    factories.mapping("m", factories.backend(fake, "first"), factories.backend(second, "second"))


def _asked(fake: FakeBackend) -> int:
    return len([one for one in fake.requests if one.path.endswith("/chat/completions")])


@pytest.mark.usefixtures("_two")
def test_a_target_that_fails_is_not_asked_any_more(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.status(500))
    for _ in range(FAILURES + 10):
        assert text_of(client.chat().lines) == "second"
    assert _asked(fake) == FAILURES


@pytest.mark.usefixtures("_two")
def test_streams_that_break_are_held_against_it(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.cut_mid_stream(2))
    for _ in range(60):
        client.chat(stream=True)
    assert _asked(fake) < 60


@pytest.mark.usefixtures("_two")
def test_a_request_at_fault_is_nobody_elses(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.status(400))
    for _ in range(FAILURES + 3):
        assert client.chat().status == 400
    assert _asked(fake) == FAILURES + 3


@pytest.mark.usefixtures("database")
def test_the_last_target_is_always_asked(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, "only"))
    fake.script("m", scripts.status(500))
    for _ in range(FAILURES + 3):
        assert client.chat().status == 502
    fake.script("m", scripts.saying("again"))
    assert text_of(client.chat().lines) == "again"


@pytest.mark.usefixtures("_two")
def test_after_the_pause_one_request_tries(client: Client, fake: FakeBackend, change: Change) -> None:
    change(breaker_pause_s=0.3)
    fake.script("m", scripts.status(500))
    for _ in range(FAILURES):
        client.chat()
    fake.script("m", scripts.saying("back"))
    assert text_of(client.chat().lines) == "second"
    eventually(lambda: text_of(client.chat().lines) == "back", 5.0, "the trial")
    assert [text_of(client.chat().lines) for _ in range(3)] == ["back"] * 3


@pytest.mark.usefixtures("_two")
def test_a_backend_that_is_back_is_used_without_a_client_that_tries(
    client: Client, fake: FakeBackend, ledger: RecordSpy, change: Change
) -> None:
    change(breaker_pause_s=0.3)
    fake.stop_listening(drop=True)
    for _ in range(FAILURES + 5):
        assert text_of(client.chat().lines) == "second"
    records = ledger.wait(FAILURES + 5)
    fake.start_listening()
    eventually(lambda: text_of(client.chat().lines) == REPLY_TEXT, 5.0, "the backend to be used again")
    assert len(records[-1].get("attempts", ["the only one"])) == 1
    assert all(health.breaker.get_state(0.0) == "closed" for health in board._backends.values())


def _delete(backend: Backend) -> None:
    for target in MappingTarget.objects.filter(backend=backend):
        services.delete_target(target)
    services.delete_backend(backend)


def _disable(backend: Backend) -> None:
    backend.enabled = False
    services.save_backend(backend)


def _move(backend: Backend) -> None:
    backend.base_url = "http://127.0.0.1:1/elsewhere"
    services.save_backend(backend)


@pytest.mark.usefixtures("_two")
@pytest.mark.parametrize("put_away", [_delete, _disable, _move])
def test_a_backend_that_is_gone_is_asked_no_more(
    client: Client, fake: FakeBackend, change: Change, put_away: Callable[[Backend], None]
) -> None:
    change(breaker_pause_s=0.2)
    fake.stop_listening(drop=True)
    for _ in range(FAILURES):
        client.chat()
    assert recovery._tasks
    put_away(Backend.objects.get(name="first"))
    eventually(lambda: not recovery._tasks, 5.0, "the task to end")


@pytest.mark.usefixtures("_two")
def test_nothing_is_left_under_way(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.status(500))
    for stream in (True, False):
        client.chat(stream=stream)
    assert [health.in_flight for health in board._backends.values()] == [0, 0]
