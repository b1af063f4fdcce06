"""Each try of a target is recorded and logged, with the calls in it and what came of them."""

from collections.abc import Iterable
from typing import Any

import pytest

from backends.models import Backend, Credential
from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Request, Script, scripts
from tests.fake_backend.answers import error_script
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client, text_of
from tests.support.waiting import PATIENCE_S
from usage.attempt_record import MOST_ATTEMPTS, MOST_CALLS, AttemptRecord, AttemptRecords

BATCH = 2
CHAT = "/chat/completions"


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend, second: FakeBackend) -> None:
    second.script("m", scripts.saying("second"))
    profile = {"embeddings": {"batch_size": BATCH}}
    one, other = (
        factories.backend(where, name, profile=profile)
        for where, name in ((fake, "first"), (second, "second"))
    )
    factories.mapping("m", one, other)


def attempts_of(ledger: RecordSpy) -> AttemptRecords:
    """Give the attempts of the only request."""
    (record,) = ledger.wait(1)
    found: AttemptRecords = record["attempts"]
    return found


def told(attempts: Iterable[AttemptRecord]) -> list[tuple[str, str, list[str]]]:
    """Give of each attempt its backend, its outcome, and those of its calls."""
    return [(one.backend, one.outcome, [call.outcome for call in one.calls]) for one in attempts]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_one_attempt_is_told_with_its_call(client: Client, ledger: RecordSpy, stream: bool) -> None:
    assert text_of(client.chat(stream=stream).lines) == REPLY_TEXT
    (attempt,) = attempts_of(ledger)
    (call,) = attempt.calls
    assert (attempt.backend, attempt.model, attempt.path, attempt.outcome) == ("first", "m", CHAT, "ok")
    assert (call.outcome, call.sent_ms, call.answer_bytes) == ("ok", attempt.sent_ms, attempt.answer_bytes)
    assert attempt.answer_bytes > len(REPLY_TEXT)
    assert 0 < attempt.sent_ms <= attempt.first_ms <= attempt.sent_ms + attempt.ms + 0.02
    assert call.ms <= attempt.ms + 0.02  # each is rounded to a hundredth
    assert (attempt.emulated_stops, attempt.more_calls) == (0, 0)


FAILURES: dict[str, tuple[Script, str]] = {
    "a rate limit": (scripts.rate_limited(), "rejected 429"),
    "another protocol": (scripts.not_http(), "cut"),
    "no choice": (scripts.json_body({"object": "chat.completion", "choices": []}), "garbled"),
    "an error with 200": (
        scripts.error_event_first({"error": {"message": "no", "code": 503}}),
        "rejected 503",
    ),
}


@pytest.mark.parametrize(("script", "outcome"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_what_failed_stands_before_what_answered(
    client: Client, fake: FakeBackend, ledger: RecordSpy, script: Script, outcome: str, stream: bool
) -> None:
    """An answer that came and cannot be used is a call that failed, too."""
    fake.script("m", script)
    assert text_of(client.chat(stream=stream).lines) == "second"
    attempts = attempts_of(ledger)
    assert told(attempts) == [("first", outcome, [outcome]), ("second", "ok", ["ok"])]
    first, second = attempts
    assert first.first_ms == 0
    assert first.sent_ms + first.ms <= second.sent_ms + 0.02


def test_a_silent_backend_timed_out(
    client: Client, fake: FakeBackend, ledger: RecordSpy, change: Change
) -> None:
    change(first_token_timeout_s=PATIENCE_S)
    fake.script("m", scripts.silent())
    client.chat()
    attempts = attempts_of(ledger)
    assert told(attempts) == [("first", "timeout", ["timeout"]), ("second", "ok", ["ok"])]
    assert attempts[0].ms >= PATIENCE_S * 990
    assert attempts[0].answer_bytes == 0


def test_the_part_of_a_stream_that_came_is_told(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script("m", scripts.cut_mid_stream(2))
    assert client.chat().lines[-1].keys() == {"error"}
    (attempt,) = attempts_of(ledger)
    assert told([attempt]) == [("first", "cut", ["cut"])]
    assert attempt.first_ms > 0
    assert attempt.answer_bytes == attempt.calls[0].answer_bytes > 0


def test_the_part_of_a_whole_answer_that_came_is_told(
    client: Client, fake: FakeBackend, ledger: RecordSpy
) -> None:
    """It was not used: nothing had been sent to the client."""
    fake.script("m", scripts.short_body(missing_bytes=1))
    assert text_of(client.chat(stream=False).lines) == "second"
    attempts = attempts_of(ledger)
    assert told(attempts) == [("first", "cut", ["cut"]), ("second", "ok", ["ok"])]
    assert attempts[0].answer_bytes > len(REPLY_TEXT)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_who_leaves_cancels_the_attempt(
    client: Client, fake: FakeBackend, ledger: RecordSpy, stream: bool
) -> None:
    fake.script("m", scripts.stall_mid_stream(1) if stream else scripts.silent())
    with client.open_chat(stream=stream) as chat:
        if stream:
            next(chat.answer_lines())
        fake.wait_requests(1, path=CHAT)
    attempts = attempts_of(ledger)
    assert told(attempts) == [("first", "cancelled", ["cancelled"])]
    assert (attempts[0].answer_bytes > 0) == stream
    assert ledger.records[0]["outcome"] == "client_closed"


def test_stop_strings_are_counted_and_not_told(client: Client, ledger: RecordSpy) -> None:
    """They are the client's words."""
    stops = [f"private {number}" for number in range(6)]
    client.chat(options={"stop": stops})
    (attempt,) = attempts_of(ledger)
    assert 0 < attempt.emulated_stops < len(stops)
    assert "private" not in repr(ledger.records)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_call_goes_out_once_more_with_each_key(
    client: Client, fake: FakeBackend, ledger: RecordSpy, stream: bool
) -> None:
    backend = Backend.objects.get(name="first")
    for number in range(3):
        Credential.objects.create(
            backend=backend, label=f"key {number}", secret=f"the-key-{number}-0123456789"
        )
    for refusal in (scripts.status(401), scripts.rate_limited(1), scripts.status(403)):
        fake.script_once("m", refusal)
    assert text_of(client.chat(stream=stream).lines) == "second"
    refused, answered = attempts_of(ledger)
    assert told([refused, answered]) == [
        ("first", "rejected 429", ["rejected 401", "rejected 429", "rejected 403"]),
        ("second", "ok", ["ok"]),
    ]
    times = [time for call in refused.calls for time in (call.sent_ms, call.sent_ms + call.ms)]
    assert refused.sent_ms == times[0]
    assert times == pytest.approx(sorted(times), abs=0.02)


# Embeddings in parts: several calls in one attempt


def embed(client: Client, texts: list[str]) -> Any:
    return client.post("/api/embed", {"model": "m", "input": texts})


def test_each_part_is_a_call_of_the_attempt(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script("m", scripts.status(503))
    assert embed(client, ["x"] * 5).status == 200
    attempts = attempts_of(ledger)
    assert told(attempts) == [("first", "rejected 503", ["rejected 503"]), ("second", "ok", ["ok"] * 3)]
    assert [attempt.path for attempt in attempts] == ["/embeddings"] * 2
    calls = attempts[1].calls
    assert attempts[1].sent_ms == calls[0].sent_ms < min(call.sent_ms for call in calls[1:])
    assert attempts[1].answer_bytes == sum(call.answer_bytes for call in calls) > 0


def test_a_part_that_failed_and_those_it_cancelled(
    client: Client, fake: FakeBackend, ledger: RecordSpy
) -> None:
    def rule(request: Request) -> Script | None:
        texts = request.json["input"]
        return error_script(400, "no") if "bad" in texts else scripts.silent() if "slow" in texts else None

    fake.script("m", rule)
    assert embed(client, [*["x"] * BATCH, *["slow"] * BATCH, "bad"]).status == 400
    assert told(attempts_of(ledger)) == [("first", "rejected 400", ["ok", "cancelled", "rejected 400"])]


def test_a_part_that_cannot_be_read_failed(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script("m", scripts.html_200())
    assert embed(client, ["x"]).status == 200
    assert told(attempts_of(ledger))[0] == ("first", "garbled", ["garbled"])


def test_however_many_parts_the_record_is_bounded(client: Client, ledger: RecordSpy) -> None:
    parts = 5 * MOST_CALLS
    assert embed(client, ["x"] * parts * BATCH).status == 200
    (attempt,) = attempts_of(ledger)
    assert (len(attempt.calls), attempt.more_calls) == (MOST_CALLS, parts - MOST_CALLS)
    assert attempt.answer_bytes > sum(call.answer_bytes for call in attempt.calls)


def test_however_many_targets_the_record_is_bounded(
    client: Client, fake: FakeBackend, ledger: RecordSpy, change: Change
) -> None:
    change(max_attempts=2 * MOST_ATTEMPTS)
    fake.script("many", scripts.status(503))
    backends = [factories.backend(fake, f"same-{number}") for number in range(MOST_ATTEMPTS + 3)]
    factories.mapping("many", *backends)
    assert client.chat(model="many").status == 503
    assert len(attempts_of(ledger)) == MOST_ATTEMPTS


# What asks nobody


def test_without_a_backend_there_is_no_attempt(client: Client, ledger: RecordSpy) -> None:
    Backend.objects.all().update(enabled=False)
    assert client.chat().status == 503
    assert attempts_of(ledger) == ()
