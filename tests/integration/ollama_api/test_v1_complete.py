"""/v1/chat/completions and completions are answered with all that the API promises, whatever came."""

import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.steps import Chunk, Done, Step
from tests.support import factories, sse
from tests.support.raw_http import Client, Json
from tests.support.sse import DONE

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
ASKED: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "prompt": "hi"}
NOTHING = "nothing"
"""No arguments at all."""


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def whole(client: Client, fake: FakeBackend, body: Json, path: str = CHAT, **fields: Any) -> Json:
    fake.script("m", scripts.json_body(body))
    answer = client.post(path, ASKED | fields)
    assert answer.status == 200, answer.text
    told: Json = answer.json
    return told


def streamed(client: Client, fake: FakeBackend, *bodies: Json, path: str = CHAT, **fields: Any) -> list[Json]:
    """Ask for a stream of these events, and give its chunks."""
    steps: list[Step] = [*map(Chunk, bodies), Done()]
    fake.script("m", Script(steps))
    *chunks, end = sse.data_of(client.post(path, ASKED | {"stream": True} | fields).body)
    assert end == DONE
    return chunks


def one(delta: Json, **fields: Any) -> Json:
    return {"choices": [{"delta": delta, **fields}]}


# Whole answers


def test_a_bare_answer_is_completed(client: Client, fake: FakeBackend) -> None:
    told = whole(client, fake, {"choices": [{"message": {"content": "x"}}], "usage": {}})
    head = told.pop("id"), told.pop("created")
    assert head[0].startswith("chatcmpl-") and isinstance(head[1], int)
    message = {"role": "assistant", "content": "x"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    assert told == {"object": "chat.completion", "model": "m", "choices": [choice]}


def test_a_bare_completion_is_completed(client: Client, fake: FakeBackend) -> None:
    told = whole(client, fake, {"choices": [{"text": "x"}]}, COMPLETIONS)
    assert told.pop("id").startswith("cmpl-") and isinstance(told.pop("created"), int)
    choices = [{"text": "x", "index": 0, "finish_reason": "stop"}]
    assert told == {"object": "text_completion", "model": "m", "choices": choices}


@pytest.mark.parametrize("blank", [None, ""])
def test_blank_members_are_missing_ones(client: Client, fake: FakeBackend, blank: Any) -> None:
    choice = {"message": {"content": "x"}, "finish_reason": blank, "index": None}
    told = whole(client, fake, {"id": blank, "object": blank, "created": None, "choices": [choice]})
    assert (told["object"], told["choices"][0]["index"]) == ("chat.completion", 0)
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["id"] and told["created"]


def test_what_is_there_stays_as_it_came(client: Client, fake: FakeBackend) -> None:
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text, "own": 1}, "finish_reason": "length"}
        for at, text in enumerate("ab")
    ]
    body = {"id": "x", "object": "own", "created": 7, "choices": choices, "usage": {"prompt_tokens": 1}}
    assert whole(client, fake, body, n=2) == body | {"model": "m"}


ARGUMENTS = [(NOTHING, "{}"), (None, "{}"), ("", "{}"), ({}, "{}"), ("null", "{}"), ({"a": 1}, '{"a":1}')]


@pytest.mark.parametrize(("given", "wanted"), [*ARGUMENTS, ('{"a": 1}', '{"a": 1}')], ids=repr)
def test_arguments_are_the_text_of_an_object(
    client: Client, fake: FakeBackend, given: Any, wanted: str
) -> None:
    function = {"name": "f"} if given is NOTHING else {"name": "f", "arguments": given}
    message = {"content": None, "tool_calls": [{"function": function}, {"id": "c2", "function": function}]}
    told = whole(client, fake, {"choices": [{"message": message}]})["choices"][0]
    first, second = told["message"]["tool_calls"]
    assert (first["type"], second["type"], second["id"]) == ("function", "function", "c2")
    assert first["id"].startswith("call_")
    assert [call["function"] for call in (first, second)] == [{"name": "f", "arguments": wanted}] * 2
    assert told["finish_reason"] == "tool_calls"


THINKING: dict[str, Json] = {
    "by one name": {"reasoning_content": "hm", "content": "x"},
    "by the other": {"reasoning": "hm", "content": "x"},
    "in parts": {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "x"},
        ]
    },
}


@pytest.mark.parametrize("said", THINKING.values(), ids=THINKING)
def test_thinking_has_both_names_and_text_is_text(client: Client, fake: FakeBackend, said: Json) -> None:
    wanted = {"content": "x", "reasoning": "hm", "reasoning_content": "hm"}
    (choice,) = whole(client, fake, {"choices": [{"message": said}]})["choices"]
    assert choice["message"] == {"role": "assistant", **wanted}
    (first, _) = streamed(client, fake, one(said), one({}, finish_reason="stop"))
    assert first["choices"][0]["delta"] == wanted


def test_every_choice_is_completed(client: Client, fake: FakeBackend) -> None:
    said = [{"message": {"content": [{"type": "text", "text": text}], "reasoning": "hm"}} for text in "ab"]
    choices = whole(client, fake, {"choices": said}, n=2)["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in choices] == [(0, "a"), (1, "b")]
    assert [choice["message"]["reasoning_content"] for choice in choices] == ["hm", "hm"]


# Streams


def test_bare_chunks_are_completed_with_one_head(client: Client, fake: FakeBackend) -> None:
    chunks = streamed(
        client, fake, one({"content": "a"}), one({"content": "b"}), one({}, finish_reason="stop")
    )
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    said = [(choice["index"], choice["finish_reason"]) for chunk in chunks for choice in chunk["choices"]]
    assert said == [(0, None), (0, None), (0, "stop")]


def test_the_backends_own_head_is_kept(client: Client, fake: FakeBackend) -> None:
    bodies = one({"content": "a"}) | {"id": "own", "created": 5}, one({"content": "b"}, finish_reason="stop")
    chunks = streamed(client, fake, *bodies)
    assert [(chunk["id"], chunk["created"]) for chunk in chunks] == [("own", 5)] * 2


def test_a_stream_that_ended_well_gets_a_finish_reason(client: Client, fake: FakeBackend) -> None:
    first, last = streamed(client, fake, one({"content": "a"}))
    assert first["choices"][0]["finish_reason"] is None
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert (last["id"], last["model"], last["object"]) == (first["id"], "m", "chat.completion.chunk")


def test_a_streamed_completion_gets_one_too(client: Client, fake: FakeBackend) -> None:
    first, last = streamed(client, fake, {"choices": [{"text": "a"}]}, path=COMPLETIONS)
    assert (first["object"], first["choices"][0]["text"]) == ("text_completion", "a")
    assert last["choices"] == [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]


def test_only_choices_that_began_are_ended(client: Client, fake: FakeBackend) -> None:
    bodies = one({"content": "a"}, index=0, finish_reason="stop"), one({"content": "b"}, index=1)
    *_, last = streamed(client, fake, *bodies, n=3)
    assert last["choices"] == [{"index": 1, "delta": {}, "finish_reason": "stop"}]


def test_a_cut_stream_gets_none(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.cut_mid_stream(1))
    *_, last = sse.data_of(client.post(CHAT, ASKED | {"stream": True}).body)
    assert list(last) == ["error"]


def test_empty_counts_are_taken_out(client: Client, fake: FakeBackend) -> None:
    empty: Json = {"usage": {}}
    head: Json = {"id": "x", "object": "chat.completion.chunk", "created": 5, **empty}
    whole = [head | one({"content": text}, index=0, finish_reason=None) for text in "ab"]
    bodies = *whole, one({}, finish_reason="stop") | empty, {"choices": [], **empty}
    chunks = streamed(client, fake, *bodies, stream_options={"include_usage": True})
    assert len(chunks) == 3
    assert not any("usage" in chunk for chunk in chunks)


def calls_in(chunks: list[Json]) -> dict[int, Json]:
    """Put fragments together by their index, as the official clients do."""
    calls: dict[int, Json] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", ()):
                made = calls.setdefault(call["index"], {"id": call.get("id"), "type": call.get("type")})
                function = call.get("function", {})
                made["name"] = made.get("name", "") + function.get("name", "")
                made["arguments"] = made.get("arguments", "") + function.get("arguments", "")
    return calls


def call(arguments: Any = NOTHING, **fields: Any) -> Json:
    function = {"name": "f"} if arguments is NOTHING else {"name": "f", "arguments": arguments}
    return {"tool_calls": [{"function": function, **fields}]}


END = one({}, finish_reason="tool_calls")


@pytest.mark.parametrize(("given", "wanted"), ARGUMENTS[:4] + ARGUMENTS[5:], ids=repr)
@pytest.mark.parametrize("end", ["by itself", "with the call", "missing"])
def test_a_call_in_a_stream_is_completed(
    client: Client, fake: FakeBackend, given: Any, wanted: str, end: str
) -> None:
    bodies = {
        "by itself": [one(call(given)), END],
        "with the call": [one(call(given), finish_reason="tool_calls")],
        "missing": [one(call(given))],
    }[end]
    chunks = streamed(client, fake, *bodies)
    (made,) = calls_in(chunks).values()
    assert (made["type"], made["name"], made["arguments"]) == ("function", "f", wanted)
    assert made["id"].startswith("call_")
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert reasons == [None] * (len(reasons) - 1) + ["tool_calls"]


def test_fragments_keep_their_call(client: Client, fake: FakeBackend) -> None:
    pieces = [one({"tool_calls": [{"function": {"arguments": text}}]}) for text in ('{"a"', ":1}")]
    chunks = streamed(client, fake, one(call("", id="c1")), *pieces, END)
    assert calls_in(chunks) == {0: {"id": "c1", "type": "function", "name": "f", "arguments": '{"a":1}'}}


def test_calls_of_one_index_are_numbered(client: Client, fake: FakeBackend) -> None:
    """Gemini gives all of them index 0, and official clients would join them."""
    bodies = [one(call(json.dumps({"a": at}), id=f"c{at}", index=0)) for at in range(2)]
    made = calls_in(streamed(client, fake, *bodies, END))
    assert [(at, one["id"], one["arguments"]) for at, one in made.items()] == [
        (0, "c0", '{"a": 0}'),
        (1, "c1", '{"a": 1}'),
    ]


def test_a_call_that_the_limit_cut_gets_no_arguments(client: Client, fake: FakeBackend) -> None:
    chunks = streamed(client, fake, one(call("", id="c1", index=0)), one({}, finish_reason="length"))
    assert calls_in(chunks)[0]["arguments"] == ""
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_an_answer_in_one_piece_is_completed_in_a_stream(client: Client, fake: FakeBackend) -> None:
    body = {"choices": [{"message": {"tool_calls": [{"function": {"name": "f"}}]}}]}
    fake.script("m", scripts.json_body(body))
    chunk, end = sse.data_of(client.post(CHAT, ASKED | {"stream": True}).body)
    (made,) = calls_in([chunk]).values()
    assert (made["name"], made["arguments"], made["type"]) == ("f", "{}", "function")
    assert (chunk["choices"][0]["finish_reason"], end) == ("tool_calls", DONE)
