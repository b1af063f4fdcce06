"""Every sequence of tests/golden/streams, at each API and however the network cuts it."""

import json
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import UpstreamGarbled
from backends.upstream import client as upstream
from backends.wire.lenient import mend_surrogates
from backends.wire.reading import Reader
from backends.wire.sse import SSEDecoder
from gateway.client_api import ClientApi
from ollama_api.anthropic import request as anthropic_request
from ollama_api.anthropic.api import MESSAGES
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.openai import chat as openai
from ollama_api.openai.chat import CHAT as OPENAI_CHAT
from tests.golden import replay
from tests.golden.streams import CASES
from tests.golden.streams.case import Case

REQUEST = json.dumps(
    {"model": "alias", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
).encode()
OLLAMA_REQUEST = b'{"model":"alias","messages":[{"role":"user","content":"hi"}]}'
Pair = tuple[ClientApi, Any]
APIS: dict[str, Pair] = {
    "chat": (CHAT, parse.chat(OLLAMA_REQUEST)),
    "messages": (MESSAGES, anthropic_request.parse(REQUEST)),
    "openai": (OPENAI_CHAT, openai.parse_chat(REQUEST)),
}


class Told(NamedTuple):
    """What a client reads out of an answer, whatever its API."""

    status: int
    content: str
    thinking: str
    calls: tuple[tuple[str, Any], ...]
    end: str
    """Why it ended, or nothing if it did not."""
    error: str
    counts: tuple[int, int] = (0, 0)


def play(api: str, case: Case, reads: list[bytes]) -> replay.Outcome:
    endpoint, call = APIS[api]
    if api == "openai":
        call = openai.parse_chat(REQUEST)
    return replay.stream(
        endpoint,
        call,
        reads,
        reading=case.reading,
        content_type=case.content_type,
        status=case.http_status,
    )


def told(api: str, outcome: replay.Outcome) -> Told:
    if outcome.status != 200:
        return Told(outcome.status, "", "", (), "", json.loads(outcome.body)["error"])
    return READERS[api](outcome.body)


def in_chat(body: bytes) -> Told:
    lines = [json.loads(line) for line in body.splitlines()]
    said = [line["message"] for line in lines if "message" in line]
    last = lines[-1]
    assert [line.get("done") for line in lines[:-1]] == [False] * (len(lines) - 1), "one end, and last"
    calls = [call["function"] for message in said for call in message.get("tool_calls", ())]
    assert [call["index"] for call in calls] == list(range(len(calls)))
    return Told(
        200,
        "".join(message["content"] for message in said),
        "".join(message.get("thinking", "") for message in said),
        tuple((call["name"], call["arguments"]) for call in calls),
        last["done_reason"] if last.get("done") else "",
        last.get("error", ""),
        (last.get("prompt_eval_count", 0), last.get("eval_count", 0)),
    )


def events_in(body: bytes) -> list[Any]:
    """Split by the rules of the format; every event is JSON in good UTF-8."""
    blocks = [block.split("\n") for block in body.decode().split("\n\n") if block]
    data = [line.removeprefix("data: ") for block in blocks for line in block if line.startswith("data: ")]
    assert len(data) == len(blocks)
    return [text if text == "[DONE]" else json.loads(text, parse_constant=refuse) for text in data]


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def in_messages(body: bytes) -> Told:
    events = events_in(body)
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    names = [
        event["content_block"]["name"]
        for event in events
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use"
    ]
    inputs = [json.loads(delta["partial_json"]) for delta in deltas if "partial_json" in delta]
    [*_, end] = [
        None,
        *(event["delta"]["stop_reason"] for event in events if event["type"] == "message_delta"),
    ]
    assert [event["type"] for event in events].count("message_stop") == (1 if end else 0)
    return Told(
        200,
        "".join(delta.get("text", "") for delta in deltas),
        "".join(delta.get("thinking", "") for delta in deltas),
        tuple(zip(names, inputs, strict=True)),
        {"max_tokens": "length", None: ""}.get(end, "stop"),
        events[-1]["error"]["message"] if events[-1]["type"] == "error" else "",
    )


def in_openai(body: bytes) -> Told:
    events = events_in(body)
    chunks = [event for event in events if event != "[DONE]"]
    deltas = [
        choice["delta"] for event in chunks for choice in event.get("choices") or () if choice.get("delta")
    ]
    error = chunks[-1].get("error")
    assert all(isinstance(event["choices"], list) for event in chunks if "error" not in event)
    assert (events[-1] == "[DONE]") is not bool(error)
    text = "".join(
        piece
        for delta in deltas
        for piece in (delta.get("content"), delta.get("refusal"))
        if isinstance(piece, str)
    )
    return Told(
        200, mend_surrogates(text), "", (), "" if error else "ended", error["message"] if error else ""
    )


READERS = {"chat": in_chat, "messages": in_messages, "openai": in_openai}


def check(api: str, case: Case, found: Told) -> None:
    assert found.status == case.status
    assert case.error in found.error if case.error else found.error == ""
    assert bool(found.end) is not bool(case.error), "an answer that failed has no end, and any other has one"
    if api == "openai":
        assert found.content == case.content or not case.passes
        return
    assert (found.content, found.thinking, found.calls) == (case.content, case.thinking, case.calls)
    assert found.end == ("" if case.error else case.done_reason)
    if api == "chat" and case.counts:
        assert found.counts == case.counts


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("api", APIS)
def test_as_written(api: str, case: Case) -> None:
    check(api, case, told(api, play(api, case, list(case.reads))))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("api", APIS)
def test_however_it_is_cut(api: str, case: Case) -> None:
    data = b"".join(case.reads)
    check(api, case, told(api, play(api, case, [data])))
    check(api, case, told(api, play(api, case, cut_at(data, list(range(len(data)))))))

    @settings(max_examples=10, database=None, deadline=None)
    @given(st.lists(st.integers(0, len(data)), max_size=12).map(sorted))
    def cut(places: list[int]) -> None:
        check(api, case, told(api, play(api, case, cut_at(data, places))))

    cut()


@pytest.mark.parametrize(
    ("content_type", "body", "seen"),
    [
        ("text/html", b"<html><title>Sign in</title>", "200 with text/html, not a stream: Sign in"),
        ("text/plain", b"no such host", "200 with text/plain, not a stream: no such host"),
        ("application/x-ndjson", b'{"done":false}', "ends in /v1"),
    ],
)
async def test_an_operator_reads_what_came_instead(content_type: str, body: bytes, seen: str) -> None:
    answer: Any = replay.ScriptedAnswer([body], content_type)
    with pytest.raises(UpstreamGarbled, match=seen):
        await upstream.Stream(replay.target(), answer, Reader(), SSEDecoder()).begin()


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain", "application/json"])
@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_stream_of_another_type_is_one(content_type: str, size: int) -> None:
    sent = b'\n: hi\n\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'
    reads = [sent[start : start + size] for start in range(0, len(sent), size)]
    answer: Any = replay.ScriptedAnswer(reads, content_type)
    stream = upstream.Stream(replay.target(), answer, Reader(), SSEDecoder())
    await stream.begin()
    said = [reply.choices[0].delta.content async for batch in stream for reply in batch]
    assert (said, stream.has_seen_done) == (["a"], True)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"choices":{"message":{"content":"a"}}}',
        b'{"choices":[null,{"message":{"content":"a"}}]}',
        b'{"choices":[{"message":{"content":"a","tool_calls":[5]}}]}',
        b'{"choices":[{"message":{"content":"a\\ud83d","n":NaN},"finish_reason":"stop"}]}',
        b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"n":' + b"9" * 4000 + b"}",
    ],
)
@pytest.mark.parametrize("api", APIS)
def test_a_whole_answer_of_odd_types_is_one_or_a_clean_error(api: str, answer: bytes) -> None:
    """Never a fault of ours, for which `replay` raises."""
    case = Case("odd", "", (answer,), content_type="application/json")
    found = told(api, play(api, case, [answer]))
    assert found.content[:1] == "a" or found.status == 502


def test_they_are_all_here() -> None:
    numbers = sorted(int(name[1:3]) for name in NAMES)
    assert numbers == list(range(1, len(CASES) + 1))
    assert all(len(list(same)) == 1 for _, same in groupby(sorted(NAMES)))
