"""The form of an answer decides, not what was asked for or what its head says of it."""

import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.raw_http import Answer, Client, Json

CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":'}}
MORE = {"index": 0, "function": {"arguments": "1}"}}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
DELTAS: list[Json] = [
    {"role": "assistant", "content": "Hel"},
    {"content": "lo", "tool_calls": [CALL]},
    {"tool_calls": [MORE]},
]
CHUNKS: list[Json] = [
    *({"id": "i", "model": "x", "choices": [{"index": 0, "delta": delta}]} for delta in DELTAS),
    {"id": "i", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {"id": "i", "choices": [], "usage": USAGE},
]
WHOLE_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
MESSAGE = {"role": "assistant", "content": "Hello", "tool_calls": [WHOLE_CALL]}
WHOLE: Json = {
    "id": "i",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "tool_calls"}],
    "usage": USAGE,
}
EVENTS = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in CHUNKS)
LINES = b"".join(b"%b\n" % json.dumps(one).encode() for one in CHUNKS)
BODIES = {
    "events": EVENTS + b"data: [DONE]\n\n",
    "events without a mark": EVENTS,
    "lines": LINES,
    "one JSON": json.dumps(WHOLE).encode(),
    "one JSON on many lines": json.dumps(WHOLE, indent=2).encode(),
}
TYPES = ["text/event-stream", "application/json", "application/x-ndjson", "text/plain", "text/html"]
FORMS = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _check(answer: Answer, *, stream: bool) -> None:
    assert answer.status == 200
    lines: list[Json] = answer.lines if stream else [answer.json]
    messages: list[Any] = [line["message"] for line in lines]
    assert "".join(message["content"] for message in messages) == "Hello"
    calls = [call["function"] for message in messages for call in message.get("tool_calls", ())]
    assert [(call["name"], call["arguments"]) for call in calls] == [("f", {"x": 1})]
    last = lines[-1]
    assert (last["done"], last["prompt_eval_count"], last["eval_count"]) == (True, 5, 2)


@FORMS
@STREAMED
@pytest.mark.parametrize("content_type", TYPES)
def test_any_form_under_any_type(
    client: Client, fake: FakeBackend, body: bytes, content_type: str, stream: bool
) -> None:
    fake.script("m", Script([Send(body)], content_type=content_type, framing="length"))
    _check(client.chat(stream=stream), stream=stream)


@FORMS
def test_any_form_byte_by_byte(client: Client, fake: FakeBackend, body: bytes) -> None:
    pieces = [Send(body[at : at + 7]) for at in range(0, len(body), 7)]
    fake.script("m", Script(pieces, content_type="application/json", framing="chunked"))
    _check(client.chat(), stream=True)


@FORMS
def test_any_form_is_one_answer_that_passes(client: Client, fake: FakeBackend, body: bytes) -> None:
    fake.script("m", Script([Send(body)], framing="length"))
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/chat/completions", asked).json
    (choice,) = answer["choices"]
    assert (answer["object"], choice["finish_reason"]) == ("chat.completion", "tool_calls")
    assert choice["message"]["content"] == "Hello"
    (call,) = choice["message"]["tool_calls"]
    assert (call["id"], json.loads(call["function"]["arguments"])) == ("c", {"x": 1})
    assert answer["usage"]["completion_tokens"] == 2


@FORMS
def test_any_form_is_a_stream_that_passes(client: Client, fake: FakeBackend, body: bytes) -> None:
    fake.script("m", Script([Send(body)], framing="length"))
    asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/chat/completions", asked)
    events = [json.loads(one[6:]) for one in answer.body.split(b"\n\n") if one.startswith(b"data: {")]
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello"
    assert answer.body.endswith(b"data: [DONE]\n\n")


@STREAMED
@pytest.mark.parametrize("status", [200, 201, 203])
@pytest.mark.parametrize("encoding", ["none", "", "identity", "None"])
def test_statuses_and_encodings_that_mean_nothing(
    client: Client, fake: FakeBackend, status: int, encoding: str, stream: bool
) -> None:
    fake.script("m", Script(status=status, headers={"Content-Encoding": encoding}))
    assert client.chat(stream=stream).status == 200


@STREAMED
@pytest.mark.parametrize("status", [202, 204, 206])
def test_other_good_statuses_are_no_answers(
    client: Client, fake: FakeBackend, status: int, stream: bool
) -> None:
    fake.script("m", Script([Send(b"{}")], status=status))
    assert client.chat(stream=stream).status == 502


@pytest.mark.parametrize("body", [EVENTS[:200], LINES[:-200], EVENTS.partition(b"finish_reason")[0]])
def test_pieces_without_an_end_are_no_whole_answer(client: Client, fake: FakeBackend, body: bytes) -> None:
    fake.script("m", Script([Send(body)], framing="length"))
    assert client.chat(stream=False).status == 502


@STREAMED
def test_an_ollama_may_send_events(client: Client, fake: FakeBackend, stream: bool) -> None:
    factories.mapping("o", factories.backend(fake, "native", dialect="ollama"))
    said: list[Json] = [
        {"message": {"role": "assistant", "content": "Hel"}, "done": False},
        {"message": {"content": "lo"}, "done": True, "prompt_eval_count": 5, "eval_count": 2},
    ]
    body = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in said)
    fake.route("POST", "/api/chat", Script([Send(body)], framing="length"))
    answer = client.chat(model="o", stream=stream)
    lines: list[Any] = answer.lines if stream else [answer.json]
    assert "".join(line["message"]["content"] for line in lines) == "Hello"
