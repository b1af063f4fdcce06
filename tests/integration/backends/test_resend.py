"""A call that met a closing connection goes out again: once, at once, and only if no byte was answered."""

import pytest

from backends.upstream import connections
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.answers import Answer as FakeAnswer
from tests.fake_backend.steps import Close, Raw, Reset, Step
from tests.support import factories
from tests.support.raw_http import Client, text_of

AT_ONCE = 3
LEAVES: dict[str, Step] = {"closed": Close(), "reset": Reset()}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def pool(client: Client, fake: FakeBackend, count: int = AT_ONCE) -> None:
    """Leave some connections to the backend in the pool."""
    fake.script("m", scripts.held())
    opened = [client.open_chat() for _ in range(count)]
    fake.wait_for(lambda: len([one for one in fake.streams if one.waiting]) == count or None, 5.0, "all held")
    fake.release("go")
    for one in opened:
        with one as connection:
            list(connection.answer_lines())
    fake.ledger.clear()


STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
LEAVING = pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)


@STREAMED
@LEAVING
def test_a_connection_that_was_closing_costs_nothing(
    client: Client, fake: FakeBackend, stream: bool, leave: Step
) -> None:
    pool(client, fake)

    def play(answer: FakeAnswer) -> list[Step]:
        return [leave] if answer.request.nth > 1 else [*answer.steps]

    fake.script("m", Script(play))
    assert text_of(client.chat(stream=stream).lines) == REPLY_TEXT
    assert [request.nth > 1 for request in fake.requests] == [True, False]


@STREAMED
@LEAVING
def test_a_backend_that_always_leaves_sees_a_request_twice_at_most(
    client: Client, fake: FakeBackend, stream: bool, leave: Step
) -> None:
    pool(client, fake)
    fake.script("m", Script([leave]))
    assert client.chat(stream=stream).status == 502
    assert [request.nth > 1 for request in fake.requests] == [True, False]


@STREAMED
@LEAVING
def test_a_new_connection_is_asked_once(client: Client, fake: FakeBackend, stream: bool, leave: Step) -> None:
    fake.script("m", Script([leave]))
    assert client.chat(stream=stream).status == 502
    assert len(fake.requests) == 1


BEGUN: dict[str, bytes] = {
    "a byte": b"H",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
    "an interim answer": b"HTTP/1.1 102 Processing\r\n\r\n",
}


@STREAMED
@LEAVING
@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
def test_an_answer_that_has_begun_is_not_asked_for_again(
    client: Client, fake: FakeBackend, stream: bool, leave: Step, begun: bytes
) -> None:
    pool(client, fake)
    fake.script("m", Script([Raw(begun), leave]))
    assert client.chat(stream=stream).status == 502
    assert len(fake.requests) == 1


@STREAMED
@LEAVING
def test_a_backend_that_had_time_to_work_is_not_asked_again(
    client: Client, fake: FakeBackend, stream: bool, leave: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connections.RESEND_WITHIN_S <= 1.0
    pool(client, fake)
    monkeypatch.setattr(connections, "RESEND_WITHIN_S", 0.0)
    fake.script("m", Script([leave]))
    assert client.chat(stream=stream).status == 502
    assert len(fake.requests) == 1


def test_the_next_target_is_still_asked(
    client: Client, fake: FakeBackend, second: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.mapping("two", factories.backend(fake, "first"), factories.backend(second, "second"))
    pool(client, fake)
    fake.script("two", Script([Close()]))
    assert text_of(client.chat(model="two").lines) == REPLY_TEXT
    assert (len(fake.requests), len(second.requests)) == (2, 1)
