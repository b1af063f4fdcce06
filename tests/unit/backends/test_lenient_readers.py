"""Answers of other protocols than a chat's, in JSON and types that are not quite those."""

import json
from typing import Any

import msgspec
import pytest

from backends.wire.embedding_replies import find_fault, read_embeddings
from backends.wire.native import decode_embeddings_reply, decode_line
from backends.wire.openai_types import BadReply, Usage
from backends.wire.reading import decode_reply
from gateway.translate.raw_events import EVENT_FORMS, make_event_decoder

END = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": "5", "completion_tokens": "2"}, (5, 2)),
        ({"input_tokens": 5, "output_tokens": 2}, (5, 2)),
        ({"prompt_tokens": -1, "input_tokens": 5, "completion_tokens": 2.0}, (5, 2)),
        ({"prompt_tokens": 10**18, "completion_tokens": 2}, (None, 2)),
        ({"prompt_tokens": 10**40, "completion_tokens": 2}, (None, 2)),
        ([], None),
        ({}, None),
        ("many", None),
        ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, None),
    ],
)
@pytest.mark.parametrize("place", ["beside", "in the choice"])
def test_counts_of_a_chat(usage: Any, counts: Any, place: str) -> None:
    body = {"choices": [{**END, "usage": usage}]} if place != "beside" else {"choices": [END], "usage": usage}
    found = decode_reply(json.dumps(body).encode()).usage
    assert (found and (found.prompt_tokens, found.completion_tokens)) == counts


LINE = {"message": {"role": "assistant", "content": "a"}, "done": True, "done_reason": "stop"}


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({"prompt_eval_count": "5", "eval_count": 2}, (5, 2)),
        ({"prompt_eval_count": -5, "eval_count": 10**18}, (None, None)),
        ({"prompt_eval_count": float("nan"), "eval_count": 2}, (None, 2)),
        ({"prompt_eval_count": [], "eval_count": None}, (None, None)),
    ],
)
def test_counts_of_an_ollama(more: dict[str, Any], counts: Any) -> None:
    reply = decode_line(json.dumps({**LINE, **more}).encode())
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == counts
    assert reply.choices is not None
    assert reply.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"message":{"content":"a\xff"},"done":false}', "a\ufffd"),
        (b'{"message":{"content":"a\\ud83d"},"done":false}', "a\ufffd"),
        (b'{"message":{"content":["a",{"text":"b"}]},"done":0}', "ab"),
        (b'{"response":5}', "5"),
        (b'{"message":{"content":"a","tool_calls":{"id":7,"function":{"name":"f"}}},"done":false}', "a"),
    ],
)
def test_lines_of_an_ollama_that_are_damaged(line: bytes, said: str) -> None:
    (choice,) = decode_line(line).choices or []
    assert choice.delta is not None
    assert choice.delta.content == said
    if choice.delta.tool_calls:
        assert choice.delta.tool_calls[0].id == "7"


@pytest.mark.parametrize("line", [b"", b"{", b"<html>", b"5", b"[1]"])
def test_what_is_no_line_is_none(line: bytes) -> None:
    with pytest.raises(BadReply):
        decode_line(line)


@pytest.mark.parametrize(
    ("vectors", "fault"),
    [
        ([[1.0, 2e-3], [-3, 4]], ""),
        ([[1.0], [2.0, 3.0]], "differing lengths"),
        ([[1.0, None]], "no vector of numbers"),
        ([[1.0, float("nan")]], "NaN or Inf"),
        ([[1.0, float("-inf")]], "NaN or Inf"),
        ([[1.0, "2"]], "no vector of numbers"),
        ([[[1.0]]], "no vector of numbers"),
        (["AACAPw==", "AAAAQA=="], ""),
        (["AACAPw==", "AAAAQAAAAEA="], "differing lengths"),
    ],
)
def test_vectors(vectors: list[Any], fault: str) -> None:
    data = [{"embedding": vector, "index": place} for place, vector in enumerate(vectors)]
    told = read_embeddings(json.dumps({"data": data, "usage": {"input_tokens": "4"}}).encode())
    assert (told.usage and told.usage.prompt_tokens) == 4
    found = find_fault([one.embedding for one in told.data or ()])
    assert fault in found
    assert bool(found) is bool(fault)
    native = decode_embeddings_reply(json.dumps({"embeddings": vectors, "prompt_eval_count": "4"}).encode())
    assert native.usage == Usage(4)
    assert find_fault([one.embedding for one in native.data or ()]) == found


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (
            {"input_tokens": 5, "output_tokens": 2, "own": 1},
            {"input_tokens": 5, "output_tokens": 2, "own": 1},
        ),
        ({"input_tokens": "5", "output_tokens": 2.0}, {"input_tokens": 5, "output_tokens": 2}),
        ({"prompt_tokens": 5, "completion_tokens": 2}, {"input_tokens": 5, "output_tokens": 2}),
        ({"input_tokens": -5, "output_tokens": 10**18}, {"input_tokens": 0, "output_tokens": 0}),
        ({}, {}),
        ([], None),
        (None, None),
    ],
)
@pytest.mark.parametrize("form", EVENT_FORMS)
def test_counts_of_events_that_pass(form: str, usage: Any, told: Any) -> None:
    read = make_event_decoder(EVENT_FORMS[form])
    event = read(json.dumps({"type": "message_delta", "usage": usage}).encode())
    assert msgspec.json.decode(event.fields["usage"]) == told


def test_damaged_events_pass_as_good_text() -> None:
    read = make_event_decoder(EVENT_FORMS["messages"])
    event = read(b'{"type":"content_block_delta","delta":{"text":"a\xff","x":NaN}}')
    passed = msgspec.json.encode(event.fields).decode()
    assert json.loads(passed)["delta"]["text"] == "a\ufffd"
    assert "NaN" not in passed
