"""SIGTERM when the time to drain runs out: everybody is told, and nothing is left behind.

That streams may finish before is seen in `test_open_streams`.
"""

import pytest

from tests.conftest import Serve
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.process import ServedProcess
from tests.support.raw_http import Json

RESTARTING = "server is restarting"


@pytest.fixture
def process(database: None, serve: Serve, fake: FakeBackend) -> ServedProcess:
    factories.route(fake)
    return serve(LLAMAGATE_DRAIN_TIMEOUT_S="0.5")


def test_past_the_deadline_everybody_is_told_and_let_go(process: ServedProcess, fake: FakeBackend) -> None:
    """Also who reads nothing, and so cannot be told."""
    fake.script("m", scripts.stall_mid_stream(1))
    with process.client.open_chat() as streamed, process.client.open_chat(stream=False) as whole:
        assert next(streamed.answer_lines())["message"]["content"] == "Hello "
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
    assert answer.headers["x-request-id"] in answer.error
    reasons = [line["reason"] for line in process.logged("request", outcome="error")]
    assert reasons == ["the server stopped"] * 3
    assert "Traceback" not in process.output


@pytest.mark.parametrize(
    ("path", "more"), [("/v1/chat/completions", {}), ("/v1/messages", {"max_tokens": 9})]
)
def test_before_the_first_byte_each_api_is_told_in_its_own_shape(
    process: ServedProcess, fake: FakeBackend, path: str, more: Json
) -> None:
    fake.script("m", scripts.silent())
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}
    with process.client.open("POST", path, body) as asked:
        fake.wait_requests(1, path="/chat/completions")
        process.terminate()
        answer = asked.answer()
        assert process.wait(6.0) == 0
    assert answer.status == 503
    assert RESTARTING in answer.json["error"]["message"]
