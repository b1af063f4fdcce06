"""/v1/messages: whole answers, events, and errors; and whole conversations, to the byte."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.wire.openai_types import Reply
from backends.wire.reading import decode_reply
from backends.wire.sse import SSEDecoder
from gateway.errors import AnswerUnusable, BadRequest, Failure, RequestError
from gateway.token_estimate import estimate_input
from ollama_api.anthropic import api as anthropic
from ollama_api.anthropic import request as anthropic_request
from ollama_api.anthropic.reply import error_body
from ollama_api.anthropic.types import MessagesRequest
from ollama_api.json_encoding import to_json
from tests.golden import replay

GOLDEN = Path(replay.__file__).parent / "messages"
CASES = sorted(path.name.removesuffix(".request.json") for path in GOLDEN.glob("*.request.json"))
STREAMS = [case for case in CASES if (GOLDEN / f"{case}.sse").exists()]
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
CALL = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{ "x": 1 }'}}
NO_ARGUMENTS = {"index": 1, "id": "call_2", "function": {"name": "g", "arguments": ""}}
BROKEN = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"x":'}}


def request(**fields: Any) -> MessagesRequest:
    usual = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello there"}]}
    return anthropic_request.parse(json.dumps({**usual, **fields}).encode())


def whole(message: dict[str, Any], finish: str | None = "stop", usage: Any = USAGE, **fields: Any) -> Any:
    body = {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}
    reply, _ = replay.encode_measured(
        anthropic.MESSAGES,
        request(**fields),
        decode_reply(json.dumps(body).encode()),
        replay.TIMINGS,
        replay.NOW_NS,
    )
    return json.loads(to_json(reply))


def chunk(finish: str | None = None, usage: Any = None, **delta: Any) -> Reply:
    body = {"choices": [{"delta": delta, "finish_reason": finish}], "usage": usage}
    return decode_reply(json.dumps(body).encode())


def events_of(sent: bytes) -> list[dict[str, Any]]:
    """Take events apart, and hold each against what all have in common."""
    assert sent.endswith(b"\n\n") or not sent
    found = []
    for block in sent.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")  # as every reader of lines splits them
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def streamed(*chunks: Reply, **fields: Any) -> list[dict[str, Any]]:
    translator = replay.open_stream(anthropic.MESSAGES, request(**fields))
    sent = b"".join(translator.feed([one], replay.NOW_NS) for one in chunks)
    return events_of(sent + translator.finish(replay.TIMINGS, replay.NOW_NS)[0])


def accumulated(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a message together as Anthropic's clients do."""
    first, *between, last_but_one, last = events
    assert [first["type"], last_but_one["type"], last["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    message: dict[str, Any] = first["message"]
    assert (message["content"], message["stop_reason"], message["usage"]["output_tokens"]) == ([], None, 0)
    is_open = False
    for event in between:
        kind = event["type"].removeprefix("content_block_")
        assert is_open == (kind != "start")
        assert event["index"] == len(message["content"]) - is_open
        if kind == "start":
            message["content"].append(event["content_block"])
        elif kind == "delta":
            add(message["content"][-1], event["delta"])
        is_open = kind != "stop"
    assert not is_open
    return {**message, **last_but_one["delta"], "usage": last_but_one["usage"]}


def add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    kind = delta["type"].removesuffix("_delta")
    if kind == "input_json":
        assert (block["type"], block["input"]) == ("tool_use", {})
        block["input"] = json.loads(delta["partial_json"])
    else:
        assert block["type"] == kind
        block[kind] += delta[kind]


ANSWERS: list[tuple[dict[str, Any], str | None, list[dict[str, Any]], str]] = [
    ({"content": "Hello"}, "stop", [{"type": "text", "text": "Hello"}], "end_turn"),
    ({"content": "Hel"}, "length", [{"type": "text", "text": "Hel"}], "max_tokens"),
    ({"content": "Hel"}, "stop_sequence", [{"type": "text", "text": "Hel"}], "stop_sequence"),
    ({"content": "Hel"}, "content_filter", [{"type": "text", "text": "Hel"}], "refusal"),
    ({"content": ""}, "stop", [], "end_turn"),
    (
        {"content": "Hi", "reasoning_content": "Hm"},
        "stop",
        [{"type": "thinking", "thinking": "Hm", "signature": ""}, {"type": "text", "text": "Hi"}],
        "end_turn",
    ),
    (
        {"content": None, "tool_calls": [CALL, NO_ARGUMENTS]},
        "stop",
        [
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "call_2", "name": "g", "input": {}},
        ],
        "tool_use",
    ),
]


@pytest.mark.parametrize(("message", "finish", "content", "reason"), ANSWERS)
def test_whole_and_streamed_answers_say_the_same(
    message: dict[str, Any], finish: str | None, content: list[dict[str, Any]], reason: str
) -> None:
    found = whole(message, finish)
    assert found == {
        "type": "message",
        "id": found["id"],
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 3},
    }
    assert accumulated(streamed(chunk(**message), chunk(finish, USAGE))) == found


def test_ids_are_anthropics_in_form_and_differ() -> None:
    found = whole({"content": "a"})["id"]
    assert (found[:4], len(found)) == ("msg_", 28)
    assert int(found[4:], 16)
    assert found == whole({"content": "b"})["id"]
    assert found != whole({"content": "a"}, model="n")["id"]


def test_thinking_that_was_switched_off_is_not_shown() -> None:
    message = {"content": "Hi", "reasoning_content": "Hm"}
    off: dict[str, Any] = {"thinking": {"type": "disabled"}}
    assert [block["type"] for block in whole(message, **off)["content"]] == ["text"]
    assert accumulated(streamed(chunk(**message), chunk("stop"), **off))["content"] == [
        {"type": "text", "text": "Hi"}
    ]


def test_an_estimate_stands_in_for_a_count_that_is_missing() -> None:
    estimate = estimate_input(anthropic.to_operation(request()))
    assert 1 < estimate < 20
    assert whole({"content": "Hi"}, usage=None)["usage"] == {"input_tokens": estimate, "output_tokens": 0}
    events = streamed(chunk(content="Hi"), chunk("stop"))
    assert events[0]["message"]["usage"] == {"input_tokens": estimate, "output_tokens": 0}
    assert events[-2]["usage"] == {"input_tokens": estimate, "output_tokens": 0}


def test_nothing_is_sent_before_there_is_something_to_show() -> None:
    translator = replay.open_stream(anthropic.MESSAGES, request())
    silent = [chunk(role="assistant", content=""), chunk(tool_calls=[CALL]), chunk("tool_calls")]
    assert translator.feed(silent, 1) == b""
    sent, metrics = translator.finish(replay.TIMINGS, 1)
    assert [event["type"].removeprefix("content_block_") for event in events_of(sent)] == [
        "message_start", "start", "delta", "stop", "message_delta", "message_stop"
    ]  # fmt: skip
    assert (metrics.prompt_eval_count, metrics.total_duration > 0) == (0, True)


def test_kinds_that_take_turns_open_a_block_each() -> None:
    events = streamed(
        chunk(reasoning="a"), chunk(content="b"), chunk(content="c"), chunk(reasoning="d"), chunk(content="e")
    )
    kinds = [
        (block["type"], block.get("text", block.get("thinking"))) for block in accumulated(events)["content"]
    ]
    assert kinds == [("thinking", "a"), ("text", "bc"), ("thinking", "d"), ("text", "e")]


@pytest.mark.parametrize(
    ("message", "finish", "fault"),
    [
        ({"tool_calls": [BROKEN]}, "tool_calls", AnswerUnusable),
        ({"content": ""}, "content_filter", BadRequest),
    ],
)
def test_what_is_no_answer_is_not_shown_as_one(
    message: dict[str, Any], finish: str, fault: type[RequestError]
) -> None:
    with pytest.raises(fault):
        whole(message, finish)
    translator = replay.open_stream(anthropic.MESSAGES, request())
    translator.feed([chunk(**message), chunk(finish)], 1)
    with pytest.raises(fault):
        translator.finish(replay.TIMINGS, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (501, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_errors_have_the_type_of_their_status(status: int, kind: str) -> None:
    failure = Failure(status, "no\u2028way")
    told = {"type": "error", "error": {"type": kind, "message": "no\u2028way"}, "request_id": "req_1"}
    assert json.loads(to_json(error_body(failure, "req_1"))) == told
    assert events_of(replay.open_stream(anthropic.MESSAGES, request()).fail(failure, "req_1")) == [told]


def compare(path: Path, found: bytes, update: bool) -> None:
    if update:
        path.write_bytes(found)
    assert path.exists(), f"{path.name} is missing; --update-golden writes it"
    assert found.decode() == path.read_bytes().decode()


def golden_call(case: str) -> MessagesRequest:
    return anthropic_request.parse((GOLDEN / f"{case}.request.json").read_bytes())


def replayed(case: str, reads: list[bytes]) -> bytes:
    decoder, translator, sent = SSEDecoder(), replay.open_stream(anthropic.MESSAGES, golden_call(case)), []
    for read in reads:
        replies = [decode_reply(data) for data in decoder.feed(read) if data != b"[DONE]"]
        sent.append(translator.feed(replies, replay.NOW_NS))
    return b"".join([*sent, translator.finish(replay.TIMINGS, replay.NOW_NS)[0]])


@pytest.mark.parametrize("case", CASES)
def test_what_a_backend_is_asked(case: str, update_golden: bool) -> None:
    body = replay.build(
        anthropic.MESSAGES, golden_call(case), replay.target(), replay.rule(system="Unused or not.")
    )
    found = msgspec.json.format(to_json(body), indent=2) + b"\n"
    compare(GOLDEN / f"{case}.upstream.json", found, update_golden)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dialect", ["openai", "openrouter", "vllm", "llamacpp", "litellm", "localai"])
def test_kinds_without_rules_of_their_own_get_the_same_conversation(case: str, dialect: str) -> None:
    bodies = [
        replay.build(anthropic.MESSAGES, golden_call(case), replay.target(kind), replay.rule())
        for kind in ("generic", dialect)
    ]
    assert bodies[0]["messages"] == bodies[1]["messages"]
    assert bodies[0].get("tools") == bodies[1].get("tools")


@pytest.mark.parametrize("case", STREAMS)
def test_what_the_client_gets(case: str, update_golden: bool) -> None:
    sse = (GOLDEN / f"{case}.sse").read_bytes()
    found = replayed(case, [sse])
    assert accumulated(events_of(found))["model"] == golden_call(case).model
    compare(GOLDEN / f"{case}.events", found, update_golden)


@pytest.mark.parametrize("case", STREAMS)
def test_any_chunking_gives_the_same(case: str) -> None:
    sse = (GOLDEN / f"{case}.sse").read_bytes()
    golden = replayed(case, [sse])

    @settings(max_examples=15, deadline=None, database=None)
    @given(st.lists(st.integers(0, len(sse)), max_size=12).map(sorted))
    def cut(places: list[int]) -> None:
        assert replayed(case, [sse[start:end] for start, end in pairwise([0, *places, len(sse)])]) == golden

    cut()
    assert replayed(case, [sse[place : place + 1] for place in range(len(sse))]) == golden


def test_the_folder_holds_what_its_guide_says() -> None:
    assert len(CASES) >= 3
    assert len(STREAMS) >= 2
    for path in GOLDEN.iterdir():
        case, _, kind = path.name.partition(".")
        assert path.name == "README.md" or (
            case in CASES and kind in ("request.json", "upstream.json", "sse", "events")
        )
