"""An answer that is said twice, or in several choices, is told once: translated and passed, by socket."""

import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Chunk, Done, Send
from tests.support import factories
from tests.support.raw_http import Answer, Client, Json, text_of

ASKED: Json = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _deltas_of(answer: Answer) -> list[Json]:
    events = [json.loads(line[6:]) for line in answer.body.split(b"\n\n") if line.startswith(b"data: {")]
    choices = [event["choices"] for event in events if event["choices"]]
    assert all(len(listed) == 1 and listed[0]["index"] == 0 for listed in choices)
    return [listed[0]["delta"] for listed in choices]


def _minimax() -> Script:
    said = [Chunk({"choices": [{"index": 0, "delta": {"content": text}}]}) for text in ("Hel", "lo")]
    message = {"role": "assistant", "content": "Hello", "name": "MM"}
    end = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": USAGE}
    return Script([*said, Chunk({**end, "object": "chat.completion"})])


def test_a_whole_answer_behind_a_chat_is_not_told_twice(client: Client, fake: FakeBackend) -> None:
    fake.script("m", _minimax())
    answer = client.chat()
    assert text_of(answer.lines) == "Hello"
    last = answer.lines[-1]
    assert (last["done"], last["prompt_eval_count"], last["eval_count"]) == (True, 5, 2)


def test_a_whole_answer_behind_what_passes_is_not_told_twice(client: Client, fake: FakeBackend) -> None:
    fake.script("m", _minimax())
    answer = client.post("/v1/chat/completions", {**ASKED, "stream": True})
    assert "".join(delta.get("content") or "" for delta in _deltas_of(answer)) == "Hello"
    assert answer.body.endswith(b"data: [DONE]\n\n")


def _copilot(*, stream: bool) -> Script:
    name = "delta" if stream else "message"
    parts: list[Any] = [{"content": "Look."}, {"content": None, "tool_calls": [{"index": 0, **CALL}]}]
    choices = [
        {"index": place, name: {"role": "assistant", **part}, "finish_reason": None if stream else "stop"}
        for place, part in enumerate(parts)
    ]
    if not stream:
        return Script([Send(json.dumps({"choices": choices, "usage": USAGE}).encode())])
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    return Script([Chunk({"choices": choices}), Chunk({"choices": [end]}), Done()])


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_choices_are_one_answer_of_a_chat(client: Client, fake: FakeBackend, stream: bool) -> None:
    fake.script("m", _copilot(stream=stream))
    answer = client.chat(stream=stream)
    messages = [line["message"] for line in (answer.lines if stream else [answer.json])]
    assert "".join(message["content"] for message in messages) == "Look."
    calls = [call["function"]["name"] for message in messages for call in message.get("tool_calls", ())]
    assert calls == ["f"]


def test_choices_are_one_answer_that_passes(client: Client, fake: FakeBackend) -> None:
    fake.script("m", _copilot(stream=False))
    (choice,) = client.post("/v1/chat/completions", ASKED).json["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "tool_calls")
    assert choice["message"]["content"] == "Look."
    assert [call["id"] for call in choice["message"]["tool_calls"]] == ["c"]


def test_choices_are_one_streamed_answer_that_passes(client: Client, fake: FakeBackend) -> None:
    fake.script("m", _copilot(stream=True))
    deltas = _deltas_of(client.post("/v1/chat/completions", {**ASKED, "stream": True}))
    assert "".join(delta.get("content") or "" for delta in deltas) == "Look."
    assert [call["id"] for delta in deltas for call in delta.get("tool_calls", ())] == ["c"]


def test_who_asks_for_two_gets_two(client: Client, fake: FakeBackend) -> None:
    fake.script("m", _copilot(stream=False))
    assert len(client.post("/v1/chat/completions", {**ASKED, "n": 2}).json["choices"]) == 2
