"""A client that leaves takes its upstream connection with it, within a second, whatever was going on."""

import time
from collections.abc import Callable

import pytest

from tests.conftest import Change
from tests.fake_backend import FakeBackend, Reply, Script, Stream, scripts
from tests.fake_backend.steps import Hang, Head
from tests.support import factories
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Client, RawHTTP
from tests.support.waiting import PATIENCE_S, eventually

STILL_S = 0.25
SMALL = 4096
"""Bytes of a client's receive buffer, so that a write to it is soon blocked."""

Leave = Callable[[RawHTTP], None]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


@pytest.fixture(params=[RawHTTP.leave, RawHTTP.reset, RawHTTP.stop_sending], ids=["FIN", "RST", "half close"])
def leave(request: pytest.FixtureRequest) -> Leave:
    """The ways to leave. Who closes only its sending half counts as gone: HTTP clients do not do that."""
    way: Leave = request.param
    return way


def assert_let_go(fake: FakeBackend, ledger: RecordSpy) -> None:
    """The backend sees it within a second, and the record says so, once."""
    left_at = time.monotonic()
    (stream,) = fake.wait_aborted(timeout=1.0)
    assert stream.aborted_at is not None
    assert stream.aborted_at - left_at < 1.0
    ledger.wait(1)
    eventually(lambda: fake.open_connections == 0, 1.0, "the end of the upstream connection")
    assert outcomes(ledger.records) == ["client_closed"]


SILENT: dict[str, Script] = {
    "before the head": scripts.silent(),
    "before the first token": Script([Head(), Hang()], framing="chunked"),
}


@pytest.mark.parametrize("script", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_before_the_first_token(
    client: Client, fake: FakeBackend, ledger: RecordSpy, leave: Leave, script: Script, stream: bool
) -> None:
    fake.script("m", script)
    chat = client.open_chat(stream=stream)
    fake.wait_requests(1, path="/chat/completions")
    leave(chat)
    assert_let_go(fake, ledger)
    chat.leave()


def test_in_the_middle_of_a_whole_answer(
    client: Client, fake: FakeBackend, ledger: RecordSpy, leave: Leave
) -> None:
    fake.script("m", scripts.stall_mid_stream())
    chat = client.open_chat(stream=False)
    fake.wait_stream(lambda stream: stream.bytes_written > 0)
    leave(chat)
    assert_let_go(fake, ledger)
    chat.leave()


def test_between_tokens(client: Client, fake: FakeBackend, ledger: RecordSpy, leave: Leave) -> None:
    fake.script("m", scripts.stall_mid_stream(2))
    chat = client.open_chat()
    chat.head()
    lines = chat.lines()
    assert [next(lines)["message"]["content"] for _ in range(2)] == ["Hello ", "from "]
    leave(chat)
    assert_let_go(fake, ledger)
    chat.leave()


def test_while_tokens_flow(client: Client, fake: FakeBackend, ledger: RecordSpy, leave: Leave) -> None:
    fake.script("m", scripts.tokens(10_000, interval=0.005))
    chat = client.open_chat()
    chat.head()
    next(chat.lines())
    leave(chat)
    assert_let_go(fake, ledger)
    chat.leave()


class Stuck:
    """Sees when nothing moves any more: one write that had to wait is not the end yet."""

    def __init__(self, fake: FakeBackend) -> None:
        self._fake = fake
        self._written, self._since = 0, time.monotonic()

    def wait(self) -> Stream:
        return eventually(self._look, 5.0, "full buffers all the way to the backend")

    def _look(self) -> Stream | None:
        for stream in self._fake.streams:
            if not stream.blocked or stream.bytes_written != self._written:
                self._written, self._since = stream.bytes_written, time.monotonic()
            return stream if time.monotonic() - self._since > STILL_S else None
        return None


def test_while_a_write_is_blocked(client: Client, fake: FakeBackend, ledger: RecordSpy, leave: Leave) -> None:
    fake.script("m", scripts.flood())
    chat = client.open_chat(receive_buffer=SMALL)
    Stuck(fake).wait()
    leave(chat)
    assert_let_go(fake, ledger)
    chat.leave()


def test_who_reads_nothing_holds_the_backend_back(client: Client, fake: FakeBackend) -> None:
    """Back-pressure: what the backend could push into us is what the buffers take, mostly the kernel's."""
    fake.script("m", scripts.flood())
    with client.open_chat(receive_buffer=SMALL):
        assert Stuck(fake).wait().bytes_written < 16 * 1024 * 1024
    fake.wait_aborted(timeout=1.0)


def test_who_reads_nothing_for_too_long_counts_as_gone(
    client: Client, fake: FakeBackend, ledger: RecordSpy, change: Change
) -> None:
    """Although its connection stands."""
    change(idle_timeout_s=PATIENCE_S)
    fake.script("m", scripts.flood())
    with client.open_chat(receive_buffer=SMALL) as chat:
        fake.wait_aborted(timeout=2 * PATIENCE_S)
        assert outcomes(ledger.wait(1)) == ["client_closed"]
        assert chat.is_closed_within(1.0)


def test_who_reads_slowly_is_served_to_the_end(client: Client, fake: FakeBackend, change: Change) -> None:
    """Each pause is short, all of them together are not."""
    change(idle_timeout_s=PATIENCE_S)
    said = Reply(({"content": "x" * 64 * 1024},) * 120)
    fake.script("m", scripts.saying(said))
    with client.open_chat(receive_buffer=SMALL) as chat:
        lines = chat.answer_lines()
        for _ in said.deltas:
            assert len(next(lines)["message"]["content"]) == 64 * 1024
            chat.wait_silent(PATIENCE_S / 100)
        assert next(lines)["done"] is True


def test_during_embeddings(client: Client, fake: FakeBackend, ledger: RecordSpy, leave: Leave) -> None:
    fake.script("m", scripts.silent())
    call = client.open("POST", "/api/embed", {"model": "m", "input": "text"})
    fake.wait_requests(1, path="/embeddings")
    leave(call)
    assert_let_go(fake, ledger)
    call.leave()


def test_before_the_body_was_complete_nothing_is_asked(client: Client, fake: FakeBackend) -> None:
    call = RawHTTP(client.port)
    call.send(b'POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"model": "m"')
    call.leave()
    assert client.chat("after it").status == 200
    assert [request.json["messages"][0]["content"] for request in fake.requests] == ["after it"]


def test_who_stays_is_not_disturbed(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    """One client leaves, its neighbour on the same backend reads to the end."""
    fake.script("m", scripts.held(after=1))
    with client.open_chat() as stays:
        stays.head()
        leaves = client.open_chat()
        leaves.head()
        leaves.leave()
        fake.wait_aborted(timeout=1.0)
        fake.release("go")
        assert [line["done"] for line in stays.lines()] == [False] * 5 + [True]
    assert sorted(outcomes(ledger.wait(2))) == ["client_closed", "ok"]


def test_a_client_that_leaves_after_the_end_is_no_event(
    client: Client, fake: FakeBackend, ledger: RecordSpy
) -> None:
    for _ in range(5):
        assert client.chat().lines[-1]["done"] is True
    assert outcomes(ledger.wait(5)) == ["ok"] * 5


def test_a_storm_of_leavers_leaves_nothing_behind(
    client: Client, fake: FakeBackend, ledger: RecordSpy, change: Change
) -> None:
    fake.script("m", scripts.stall_mid_stream(1))
    for number in range(60):
        chat = client.open_chat(stream=number % 3 != 0)
        if number % 2:
            chat.reset()
        else:
            chat.leave()
    eventually(lambda: all(s.state == "aborted" for s in fake.streams), 3.0, "the end of all streams")
    eventually(lambda: fake.open_connections == 0, 3.0, "the end of all upstream connections")
    fake.script("m", None)
    assert all(client.chat().lines[-1]["done"] for _ in range(10))
    assert "error" not in outcomes(ledger.records)
