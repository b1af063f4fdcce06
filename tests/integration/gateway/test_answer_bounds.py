"""How much of one answer is kept: beyond it the stream ends with an error, and its backend is left."""

import json
from typing import Any

import pytest

from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.steps import Chunk, Done, Flood, Send, Step
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Answer, Client, text_of

A_FEW_MEGABYTES = 16 * 1024 * 1024
LIMIT = 500_000
TOO_MUCH = "more than one answer may hold"
Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _event(delta: Json, **more: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, **more}]}).encode() + b"\n\n"


def _ask(client: Client, path: str, **more: Any) -> Answer:
    turns = [{"role": "user", "content": "hi"}]
    return client.post(path, {"model": "m", "messages": turns, "input": "hi", "stream": True, **more})


CALL = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "x" * 4000}}]}
OBJECT = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {"a": [[]] * 1000}}}]}
TINY = {"tool_calls": [{"index": 0, "function": {"arguments": "é"}}]}
THOUGHT = {"reasoning_content": "x" * 4000}
DETAILS = {"reasoning_details": [{"type": "reasoning.text", "text": "x" * 4000}]}
TEXT = {"content": "x" * 4000}
PROBABILITY = [{"token": "a" * 4000, "logprob": -1.0}]

SPEAKS = Send(_event({"content": "I will "}))
APIS: dict[str, tuple[str, bytes, Json]] = {
    "chat: arguments": ("/api/chat", _event(CALL), {}),
    "chat: arguments as an object": ("/api/chat", _event(OBJECT), {}),
    "chat: arguments in tiny pieces": ("/api/chat", _event(TINY) * 100, {}),
    "completions: arguments": ("/v1/chat/completions", _event(CALL), {}),
    "messages: arguments": ("/v1/messages", _event(CALL), {"max_tokens": 9}),
    "responses: arguments": ("/v1/responses", _event(CALL), {}),
    "responses: text": ("/v1/responses", _event(TEXT), {}),
    "responses: thinking": ("/v1/responses", _event(THOUGHT), {}),
    "responses: probabilities": (
        "/v1/responses",
        _event({"content": "a"}, logprobs={"content": PROBABILITY}),
        {"include": ["message.output_text.logprobs"]},
    ),
}


@pytest.mark.parametrize(("path", "piece", "more"), APIS.values(), ids=APIS)
def test_what_is_kept_until_the_end_has_a_bound(
    client: Client, fake: FakeBackend, change: Change, path: str, piece: bytes, more: Json
) -> None:
    change(max_gathered_bytes=LIMIT)
    fake.script("m", Script([SPEAKS, Flood(piece)], framing="chunked"))
    answer = _ask(client, path, **more)
    assert answer.status in (200, 502)  # the first read may bring too much already
    assert TOO_MUCH in answer.text
    for end in ('"done":true', "[DONE]", "message_stop", "response.completed"):
        assert end not in answer.text
    (stream,) = fake.wait_aborted(timeout=1.0)
    assert stream.bytes_written < A_FEW_MEGABYTES


@pytest.mark.parametrize(("dialect", "piece"), [("deepseek", THOUGHT), ("openrouter", DETAILS)])
def test_what_a_backend_wants_back_has_it_too(
    client: Client, fake: FakeBackend, change: Change, dialect: str, piece: Json
) -> None:
    change(max_gathered_bytes=LIMIT)
    factories.mapping("wants", factories.backend(fake, dialect, dialect=dialect))
    fake.script("wants", Script([SPEAKS, Flood(_event(piece))], framing="chunked"))
    answer = client.chat(model="wants")
    assert TOO_MUCH in answer.lines[-1]["error"]
    fake.wait_aborted(timeout=1.0)


def test_a_client_that_does_not_read_keeps_no_backend_at_work(
    client: Client, fake: FakeBackend, change: Change
) -> None:
    change(max_gathered_bytes=LIMIT)
    fake.script("m", Script([SPEAKS, Flood(_event(CALL))], framing="chunked"))
    with client.open_chat(receive_buffer=4096):
        fake.wait_aborted(timeout=5.0)


SILENT: dict[str, list[Step]] = {
    "large events": [Flood(b"data: " + json.dumps({"choices": [], "x": "y" * 3_900_000}).encode() + b"\n\n")],
    "many choices": [Flood(b'data: {"choices":[' + b"{}," * 300_000 + b"{}]}\n\n")],
}


@pytest.mark.parametrize("steps", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "application/json"])
def test_events_that_say_nothing_are_held_up_to_a_bound(
    client: Client, fake: FakeBackend, steps: list[Step], kind: str
) -> None:
    fake.script("m", Script(steps, framing="chunked", content_type=kind))
    answer = client.chat()
    assert (answer.status, TOO_MUCH in answer.error) == (502, True)
    (stream,) = fake.wait_aborted(timeout=1.0)
    assert stream.bytes_written < A_FEW_MEGABYTES


END: list[Step] = [Chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), Done()]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/v1/messages"])
def test_text_that_is_passed_on_does_not_count(
    client: Client, fake: FakeBackend, change: Change, path: str
) -> None:
    change(max_gathered_bytes=1000)
    words: list[Step] = [Send(_event({"content": "x" * 1000})) for _ in range(20)]
    fake.script("m", Script([*words, *END]))
    answer = _ask(client, path, max_tokens=9)
    assert answer.text.count("x" * 1000) == 20
    assert TOO_MUCH not in answer.text


def test_an_ordinary_call_is_far_below_it(client: Client, fake: FakeBackend, change: Change) -> None:
    change(max_gathered_bytes=10_000)
    fake.script("m", scripts.tool_calls_finish_stop())
    assert client.chat().lines[-1]["done"] is True


def test_the_log_says_which_setting_allows_more(
    client: Client, fake: FakeBackend, change: Change, ledger: RecordSpy
) -> None:
    change(max_gathered_bytes=LIMIT)
    fake.script("m", Script([SPEAKS, Flood(_event(CALL))], framing="chunked"))
    client.chat()
    (record,) = ledger.wait()
    assert (record["outcome"], "LLAMAGATE_MAX_GATHERED_BYTES" in record["reason"]) == ("error", True)


def test_a_whole_answer_for_a_stream_has_the_bound_of_whole_answers(
    client: Client, fake: FakeBackend, change: Change
) -> None:
    change(max_answer_bytes=LIMIT)
    steps: list[Step] = [Send(b'{"choices":['), Flood(b" " * 65_536)]
    fake.script("m", Script(steps, framing="chunked", content_type="application/json"))
    answer = client.chat()
    assert (answer.status, TOO_MUCH in answer.error) == (502, True)
    fake.wait_aborted(timeout=1.0)


@pytest.mark.parametrize("stream", [True, False])
def test_the_body_of_an_error_has_a_bound(client: Client, fake: FakeBackend, stream: bool) -> None:
    fake.script("m", Script([Send(b'{"error":"'), Flood(b"x" * 65_536)], status=500, framing="chunked"))
    answer = client.chat(stream=stream)
    assert (answer.status, len(answer.text) < 1000) == (502, True)
    fake.wait_aborted(timeout=1.0)


def test_many_parts_of_vectors_are_one_answer(client: Client, fake: FakeBackend, change: Change) -> None:
    texts = [str(number) for number in range(2000)]
    assert client.post("/api/embed", {"model": "m", "input": texts}).status == 200
    change(max_answer_bytes=20_000)  # each part of them is smaller
    answer = client.post("/api/embed", {"model": "m", "input": texts})
    assert (answer.status, TOO_MUCH in answer.error) == (502, True)


def test_an_answer_behind_it_is_whole_again(client: Client, fake: FakeBackend, change: Change) -> None:
    change(max_gathered_bytes=LIMIT)
    fake.script("m", Script([SPEAKS, Flood(_event(CALL))], framing="chunked"))
    client.chat()
    fake.script("m", None)
    assert text_of(client.chat().lines) == REPLY_TEXT
