"""Counts, text and vectors that are not quite what they should be, from every protocol, over the socket."""

import json
from typing import Any

import msgspec
import pytest

from backends.routing import registry
from backends.wire import dialects
from backends.wire.dialects import DIALECTS
from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.raw_http import Client

MESSAGES = [{"role": "user", "content": "hi"}]


def _json(body: Any) -> Script:
    return Script([Send(json.dumps(body).encode())], content_type="application/json", framing="length")


def _events(*data: bytes) -> Script:
    return Script([Send(b"data: " + one + b"\n\n") for one in data], content_type="text/event-stream")


def test_an_ollamas_counts_may_be_text(database: None, client: Client, fake: FakeBackend) -> None:
    factories.mapping("o", factories.backend(fake, dialect="ollama"))
    line = {"message": {"role": "assistant", "content": "a\ud83d"}, "done": True, "eval_count": "7"}
    fake.route("POST", "/api/chat", _json({**line, "prompt_eval_count": "31"}))
    answer = client.chat(model="o", stream=False)
    assert answer.status == 200
    assert (answer.json["prompt_eval_count"], answer.json["eval_count"]) == (31, 7)
    assert answer.json["message"]["content"] == "a\ufffd"


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([[1.0], [1.0, 2.0]], "differing lengths"),
        ([[1.0, None], [1.0, 2.0]], "no vector of numbers"),
        ([[1.0, float("nan")], [1.0, 2.0]], "NaN or Inf"),
    ],
)
def test_bad_vectors_are_an_error(
    database: None, client: Client, fake: FakeBackend, vectors: list[Any], words: str
) -> None:
    factories.mapping("e", factories.backend(fake, dialect="vllm"))
    data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    fake.script("e", _json({"data": data, "usage": {"prompt_tokens": "3"}}))
    answer = client.post("/api/embed", {"model": "e", "input": ["a", "b"]})
    assert (answer.status, words in answer.error) == (502, True)
    assert client.post("/v1/embeddings", {"model": "e", "input": ["a", "b"]}).status == 502


def test_counts_of_vectors_may_be_text(database: None, client: Client, fake: FakeBackend) -> None:
    factories.mapping("e", factories.backend(fake))
    fake.script("e", _json({"data": [{"index": 0, "embedding": [1.0]}], "usage": {"input_tokens": "3"}}))
    answer = client.post("/api/embed", {"model": "e", "input": "a"})
    assert (answer.json["embeddings"], answer.json["prompt_eval_count"]) == ([[1.0]], 3)


@pytest.fixture
def _both(database: None, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    row = msgspec.structs.replace(DIALECTS["generic"], name="both", has_messages_api=True)
    table = {**DIALECTS, "both": row}
    monkeypatch.setattr(registry, "DIALECTS", table)
    monkeypatch.setattr(dialects, "DIALECTS", table)
    factories.mapping("m", factories.backend(fake, dialect="both"))


@pytest.mark.usefixtures("_both")
def test_events_that_pass_are_good_text(client: Client, fake: FakeBackend) -> None:
    fake.route(
        "POST",
        "/messages",
        _events(
            b'{"type":"message_start","message":{"usage":{"prompt_tokens":"5"}}}',
            b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\xff"}}',
            b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":"2"}}',
            b'{"type":"message_stop"}',
        ),
    )
    answer = client.post(
        "/v1/messages", {"model": "m", "max_tokens": 9, "stream": True, "messages": MESSAGES}
    )
    events = [
        json.loads(block.partition("data: ")[2]) for block in answer.body.decode().strip().split("\n\n")
    ]
    assert events[0]["message"]["usage"] == {"input_tokens": 5}
    assert events[1]["delta"]["text"] == "a\ufffd"
    assert events[2]["usage"] == {"output_tokens": 2}
