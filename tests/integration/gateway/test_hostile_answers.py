"""What a backend may do to us: compressed, endless, mislabelled or silent answers, and how each is ended."""

import gzip
import json
from typing import Any

import pytest

from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.answers import Answer as FakeAnswer
from tests.fake_backend.steps import Chunk, Close, Comment, Done, Flood, Hang, Head, Raw, Send, Sleep, Step
from tests.support import factories
from tests.support.raw_http import Client, text_of
from tests.support.waiting import PATIENCE_S

A_FEW_MEGABYTES = 16 * 1024 * 1024
PACKED = {"content-encoding": "gzip"}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


@pytest.fixture
def two(fake: FakeBackend, second: FakeBackend) -> str:
    """A model that both backends have."""
    factories.mapping("two", factories.backend(fake, "first"), factories.backend(second, "second"))
    return "two"


STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@STREAMED
def test_a_decompression_bomb_is_never_unpacked(client: Client, fake: FakeBackend, stream: bool) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    fake.script("m", Script([Send(bomb), Flood(bomb)], headers=PACKED, framing="chunked"))
    assert client.chat(stream=stream).status == 502
    (answer,) = fake.wait_aborted(timeout=1.0)
    assert answer.bytes_written < A_FEW_MEGABYTES


@STREAMED
def test_a_compressed_refusal_is_read(client: Client, fake: FakeBackend, stream: bool) -> None:
    body = gzip.compress(b'{"error":{"message":"temperature is too high"}}')
    fake.script("m", Script([Send(body)], status=400, headers=PACKED, framing="length"))
    answer = client.chat(stream=stream)
    assert (answer.status, answer.error) == (400, "temperature is too high")


@STREAMED
def test_a_refusal_that_is_compressed_wrongly_shows_no_bytes(
    client: Client, fake: FakeBackend, stream: bool
) -> None:
    body = gzip.compress(b'{"error":{"message":"temperature is too high"}}')[:-12] + b"secret\xff\x00\x01"
    fake.script("m", Script([Send(body)], status=400, headers=PACKED, framing="length"))
    answer = client.chat(stream=stream)
    assert answer.status == 400
    assert answer.error.isascii()
    assert "secret" not in answer.error


@STREAMED
def test_compressed_bytes_without_a_header_are_no_answer(
    client: Client, fake: FakeBackend, stream: bool
) -> None:
    fake.script("m", Script([Send(gzip.compress(b"data: {}\n\n" * 1000))], framing="length"))
    assert client.chat(stream=stream).status == 502


@STREAMED
def test_identity_is_no_compression(client: Client, fake: FakeBackend, stream: bool) -> None:
    fake.script("m", Script(headers={"content-encoding": "identity"}))
    assert text_of(client.chat(stream=stream).lines) == REPLY_TEXT


HEADS = {
    "a thousand": [b"x-%d: y\r\n" % number for number in range(1000)],
    "two megabytes in one": [b"x: " + b"y" * 2_000_000 + b"\r\n"],
    "two megabytes in many": [b"x-%d: %s\r\n" % (number, b"y" * 8000) for number in range(250)],
}


@STREAMED
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_endless_headers_are_refused(
    client: Client, fake: FakeBackend, head: list[bytes], stream: bool
) -> None:
    end = b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    fake.script("m", Script([Raw(b"HTTP/1.1 200 OK\r\n"), *map(Raw, head), Raw(end), Close()]))
    assert client.chat(stream=stream).status == 502
    fake.script("m", None)
    assert client.chat(stream=stream).status == 200


ENDLESS = {
    "a line": [Send(b"data: "), Flood(b"x" * 65_536)],
    "an event of short lines": [Flood(b"data: x\n" * 1000)],
    "events that say nothing": [Flood(b'data: {"choices":[]}\n\n' * 1000)],
    "events with a role": [Flood(b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n' * 1000)],
}


@pytest.mark.parametrize("steps", ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_cut(client: Client, fake: FakeBackend, steps: list[Step]) -> None:
    fake.script("m", Script(steps, framing="chunked"))
    answer = client.chat()
    assert (answer.status, "no answer" in answer.error) == (502, True)
    (stream,) = fake.wait_aborted(timeout=1.0)
    assert stream.bytes_written < A_FEW_MEGABYTES


def test_an_endless_whole_answer_is_cut(client: Client, fake: FakeBackend, change: Change) -> None:
    change(max_answer_bytes=1_000_000)
    fake.script("m", Script([Send(b"{"), Flood(b" " * 65_536)], framing="chunked"))
    assert client.chat(stream=False).status == 502
    fake.wait_aborted(timeout=1.0)


def _labelled(body: bytes, content_type: str) -> Script:
    return Script([Send(body)], content_type=content_type, framing="length")


WHOLE = json.dumps(
    {"choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]}
).encode()
OVERFLOW = b'{"error":{"message":"m","code":"context_length_exceeded"}}'
LABELS: dict[str, tuple[Script, int, str]] = {
    "an answer as a stream": (_labelled(b"\n\n" + WHOLE + b"\n", "text/event-stream"), 200, "a"),
    "an error as a stream": (_labelled(OVERFLOW, "text/event-stream"), 400, "m"),
    "an error as an answer": (_labelled(b"\n \n" + OVERFLOW, "application/json; charset=utf-8"), 400, "m"),
    "a page as a stream": (
        _labelled(b"<html>Sign in</html>", "text/event-stream"),
        502,
        "before it finished",
    ),
    "a page as an answer": (_labelled(b"<html>Sign in</html>", "application/json"), 502, "no answer"),
    "a page": (_labelled(b"<html><title>Sign in</title>", "text/html"), 502, "no answer"),
    "native Ollama": (_labelled(b'{"done":false}\n', "application/x-ndjson"), 502, "no answer"),
    "nothing": (_labelled(b"", "text/event-stream"), 502, "before it finished"),
}


@pytest.mark.parametrize(("script", "status", "text"), LABELS.values(), ids=LABELS)
def test_a_body_is_what_it_is_whatever_it_is_called(
    client: Client, fake: FakeBackend, script: Script, status: int, text: str
) -> None:
    fake.script("m", script)
    answer = client.chat()
    assert answer.status == status
    assert text in (text_of(answer.lines) if status == 200 else answer.error)


def test_heartbeats_alone_do_not_hold_off_the_first_token_for_ever(
    client: Client, fake: FakeBackend, change: Change
) -> None:
    change(first_token_timeout_s=PATIENCE_S, idle_timeout_s=PATIENCE_S / 2)
    beats: list[Step] = [step for _ in range(100) for step in (Comment(), Sleep(0.05))]
    fake.script("m", Script([Head(), *beats, Hang()], framing="chunked"))
    answer = client.chat()
    assert (answer.status, "timed out" in answer.error) == (504, True)
    fake.wait_aborted(timeout=1.0)


def test_a_role_alone_does_not_hold_it_off_either(client: Client, fake: FakeBackend, change: Change) -> None:
    change(first_token_timeout_s=PATIENCE_S)
    fake.script("m", Script(lambda answer: [*answer.opening, Hang()], framing="chunked"))
    assert client.chat().status == 504
    fake.wait_aborted(timeout=1.0)


def test_heartbeats_keep_an_answer_that_has_begun_alive(
    client: Client, fake: FakeBackend, change: Change
) -> None:
    change(idle_timeout_s=PATIENCE_S)

    def play(answer: FakeAnswer) -> list[Step]:
        first, *rest = [step for step in answer.steps if step not in answer.opening]
        beats: list[Step] = [step for _ in range(6) for step in (Sleep(PATIENCE_S / 4), Comment())]
        return [*answer.opening, first, *beats, *rest]

    fake.script("m", Script(play))
    assert text_of(client.chat().lines) == REPLY_TEXT


def _opened(*steps: Step) -> Script:
    """Say who speaks, and then something else."""
    return Script(lambda answer: [*answer.opening, *steps])


def _error(**fields: Any) -> Chunk:
    return Chunk({"error": {"message": "m", **fields}})


def _ends(reason: str) -> Chunk:
    return Chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


ELSEWHERE = {
    "a page": scripts.html_200(),
    "no more money": _opened(_error(code="insufficient_quota"), Done()),
    "too many": _opened(_error(type="rate_limit_error"), Done()),
    "a crash behind the role": _opened(_error(code=500), Done()),
    "no resources": _opened(_ends("insufficient_system_resource"), Done()),
    "an end without words": _opened(Done()),
    "a cut behind the role": _opened(Close()),
}


@pytest.mark.parametrize("script", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_fails_before_its_first_word_is_asked_elsewhere(
    client: Client, fake: FakeBackend, second: FakeBackend, two: str, script: Script
) -> None:
    fake.script(two, script)
    second.script(two, script)
    assert client.chat(model=two).status in (429, 502, 503)
    assert (len(fake.streams), len(second.streams)) == (1, 1)
    second.script(two, None)
    fake.script(two, script)
    for _ in range(3):  # whichever is asked first
        assert text_of(client.chat(model=two).lines) == REPLY_TEXT


def test_a_request_that_is_too_long_is_so_everywhere(
    client: Client, fake: FakeBackend, second: FakeBackend, two: str
) -> None:
    script = _opened(_error(code="context_length_exceeded"), Done())
    fake.script(two, script)
    second.script(two, script)
    answer = client.chat(model=two)
    assert (answer.status, answer.error) == (400, "m")
    assert len(fake.streams) + len(second.streams) == 1
