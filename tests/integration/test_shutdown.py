"""SIGTERM: what is open may finish, what cannot is told so, and nothing is left behind."""

import pytest

from tests.conftest import Serve
from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import factories
from tests.support.process import ServedProcess
from tests.support.raw_http import RawHTTP, text_of
from tests.support.waiting import eventually

RESTARTING = "server is restarting"


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _begun(process: ServedProcess) -> RawHTTP:
    """Open a stream, and read what came until it is held."""
    chat = process.client.open_chat()
    assert chat.head().status == 200
    assert next(chat.lines())["message"]["content"] == "Hello "
    return chat


def _refuses(process: ServedProcess) -> bool:
    try:
        RawHTTP(process.port).leave()
    except ConnectionRefusedError:
        return True
    return False


def test_an_open_stream_finishes_and_nobody_new_is_let_in(serve: Serve, fake: FakeBackend) -> None:
    process = serve()
    fake.script("m", scripts.held(after=1))
    with _begun(process) as chat, RawHTTP(process.port) as idle:
        process.terminate()
        eventually(lambda: _refuses(process), 3.0, "the end of listening")
        assert idle.is_closed_within(1.0)
        fake.release("go")
        lines = list(chat.lines())
        assert ("Hello " + text_of(lines), lines[-1]["done"]) == (REPLY_TEXT, True)
    assert process.wait() == 0
    assert [line["outcome"] for line in process.logged("request")] == ["ok"]


def test_past_the_deadline_everybody_is_told_and_let_go(serve: Serve, fake: FakeBackend) -> None:
    """Also the one who reads nothing, and so cannot be told."""
    process = serve(LLAMAGATE_DRAIN_TIMEOUT_S="0.5")
    fake.script("m", scripts.stall_mid_stream(1))
    with _begun(process) as streamed, process.client.open_chat(stream=False) as whole:
        fake.wait_requests(2, path="/chat/completions")
        fake.script("m", scripts.flood())
        with process.client.open_chat(receive_buffer=4096):
            fake.wait_stream(lambda stream: stream.blocked)
            process.terminate()
            # The streams end properly, as an error does: nothing looks complete, and nothing like a crash.
            (last,) = streamed.lines()
            answer = whole.answer()
            fake.wait_aborted(3, timeout=2.0)
            assert process.wait(6.0) == 0
    assert (list(last), RESTARTING in last["error"]) == (["error"], True)
    assert (answer.status, RESTARTING in answer.error) == (503, True)
    assert [line["reason"] for line in process.logged("request", outcome="error")] == [
        "the server stopped"
    ] * 3
    assert "Traceback" not in process.output
