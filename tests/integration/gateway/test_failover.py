"""Another target is tried before the first byte, and never after it."""

import pytest

from backends.models import Backend, ModelMapping
from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.steps import Hang, Head
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client, text_of
from tests.support.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend, second: FakeBackend) -> None:
    second.script("m", scripts.saying("second"))
    factories.mapping("m", factories.backend(fake, "first"), factories.backend(second, "second"))


PASSED_ON: dict[str, Script] = {
    "401": scripts.status(401),
    "403": scripts.status(403),
    "404 of the model": scripts.model_not_found("m"),
    "404 of the route": scripts.status(404, "Not Found"),
    "409": scripts.status(409),
    "429": scripts.rate_limited(),
    "500": scripts.status(500),
    "502": scripts.status(502, "<html>bad gateway</html>"),
    "503": scripts.status(503),
    "529": scripts.status(529),
    "HTML with 200": scripts.html_200(),
    "gzip": scripts.gzip_sse(),
    "a redirect": scripts.redirect("http://127.0.0.1:9/"),
    "not HTTP": scripts.not_http(),
    "closed without an answer": scripts.close_without_answer(),
    "reset without an answer": scripts.reset_without_answer(),
    "JSON without a choice": scripts.json_body({"object": "chat.completion", "choices": []}),
    "an error event first": scripts.error_event_first({"error": {"message": "overloaded", "code": 503}}),
}


@pytest.mark.parametrize("script", PASSED_ON.values(), ids=PASSED_ON)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_next_priority_answers(
    client: Client, fake: FakeBackend, ledger: RecordSpy, script: Script, stream: bool
) -> None:
    fake.script("m", script)
    answer = client.chat(stream=stream)
    assert answer.status == 200
    assert text_of(answer.lines) == "second"
    assert [record["backend"] for record in ledger.wait(1)] == ["second"]
    assert len(fake.wait_requests(1, path="/chat/completions")) == 1


def test_a_backend_that_refuses_connections_is_passed_over(
    client: Client, fake: FakeBackend, second: FakeBackend
) -> None:
    fake.stop_listening(drop=True)
    assert text_of(client.chat().lines) == "second"
    fake.start_listening()
    assert text_of(client.chat().lines) == REPLY_TEXT


def test_a_silent_backend_is_passed_over(
    client: Client, fake: FakeBackend, second: FakeBackend, change: Change
) -> None:
    change(first_token_timeout_s=PATIENCE_S)
    for silent in (scripts.silent(), Script([Head(), Hang()], framing="chunked")):
        fake.script("m", silent)
        assert text_of(client.chat().lines) == "second"
    fake.wait_aborted(2, timeout=1.0)


def test_cut_before_the_first_token_is_still_before_the_first_byte(
    client: Client, fake: FakeBackend, second: FakeBackend
) -> None:
    fake.script("m", Script([Head()]))
    assert text_of(client.chat().lines) == "second"


@pytest.mark.parametrize("code", [400, 413, 415, 422])
def test_a_request_that_is_wrong_is_not_tried_elsewhere(
    client: Client, fake: FakeBackend, second: FakeBackend, code: int
) -> None:
    fake.script("m", scripts.status(code))
    assert client.chat().status == 400
    assert second.requests == []


AFTER_TEXT: dict[str, Script] = {
    "cut": scripts.cut_mid_stream(2),
    "error event": scripts.error_event_mid(2),
    "no finish": scripts.no_finish(),
}


@pytest.mark.parametrize("script", AFTER_TEXT.values(), ids=AFTER_TEXT)
def test_after_the_first_byte_nothing_is_tried_again(
    client: Client, fake: FakeBackend, second: FakeBackend, script: Script
) -> None:
    fake.script("m", script)
    answer = client.chat()
    assert (answer.status, list(answer.lines[-1])) == (200, ["error"])
    assert text_of(answer.lines[:-1]).startswith("Hello from ")
    assert (len(fake.streams), second.requests) == (1, [])


def test_the_number_of_attempts_is_bounded(client: Client, fake: FakeBackend, change: Change) -> None:
    change(max_attempts=3)
    fake.script("*", scripts.status(503))
    backends = [factories.backend(fake, f"same-{number}") for number in range(5)]
    factories.mapping("many", *backends)
    assert client.chat(model="many").status == 503
    assert len(fake.streams) == 3


def test_when_all_fail_the_last_failure_is_told(
    client: Client, fake: FakeBackend, second: FakeBackend
) -> None:
    fake.script("m", scripts.status(500))
    second.script("m", scripts.rate_limited(5))
    answer = client.chat()
    assert (answer.status, answer.headers["retry-after"]) == (429, "5")


def test_a_disabled_target_is_left_out(client: Client, fake: FakeBackend, second: FakeBackend) -> None:
    fake_backend = Backend.objects.get(name="first")
    fake_backend.targets.update(enabled=False)
    assert text_of(client.chat().lines) == "second"
    fake_backend.targets.update(enabled=True)
    Backend.objects.filter(name="first").update(enabled=False)
    assert text_of(client.chat().lines) == "second"
    Backend.objects.all().update(enabled=False)
    assert client.chat().status == 503
    assert fake.requests == []


def test_weights_share_inside_one_priority(client: Client, fake: FakeBackend, second: FakeBackend) -> None:
    """Weight 0 is for the case that all others failed."""
    mapping = ModelMapping.objects.get(name="m")
    mapping.targets.update(priority=1)
    mapping.targets.filter(backend__name="second").update(weight=0)
    assert {text_of(client.chat().lines) for _ in range(10)} == {REPLY_TEXT}
    mapping.targets.update(weight=100)
    assert {text_of(client.chat().lines) for _ in range(40)} == {REPLY_TEXT, "second"}


def test_a_backend_whose_key_cannot_be_opened_is_passed_over(
    client: Client, fake: FakeBackend, second: FakeBackend, change: Change
) -> None:
    """And only that one: the request never goes out without the key it should have."""
    locked = factories.backend(fake, "locked", api_key="sk-sealed-with-another-key")
    factories.mapping("locked", locked, Backend.objects.get(name="second"))
    second.script("locked", scripts.saying("second"))
    change(credential_keys=("b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q=",))
    locked.save()
    assert text_of(client.chat(model="locked").lines) == "second"
    assert fake.requests == []
    Backend.objects.filter(name="second").update(enabled=False)
    answer = client.chat(model="locked")
    assert (answer.status, "sk-sealed" in answer.text) == (502, False)
