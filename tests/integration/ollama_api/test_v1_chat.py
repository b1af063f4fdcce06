"""/v1/chat/completions: the backend's own language passes through, with the mapping's rules and no more."""

import json
from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, Reply, Script, scripts
from tests.fake_backend.steps import Chunk, Done, Send, Step
from tests.support import factories, sse
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Answer, Client, Json, chat_body
from tests.support.sse import DONE

PATH = "/v1/chat/completions"
ASKED = [{"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}, "x-own": 1}},
}


def ask(client: Client, **fields: Any) -> Answer:
    return client.post(PATH, {"model": "m", "messages": ASKED, **fields})


def told(client: Client, **fields: Any) -> list[Any]:
    """Ask for a stream, and give the data of its events."""
    answer = ask(client, stream=True, **fields)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    return sse.data_of(answer.body)


def sent(fake: FakeBackend) -> Json:
    """Give the body of the last request that reached the backend."""
    body: Json = fake.requests[-1].body
    return body


# What passes


@pytest.fixture
def plain(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one")


@pytest.mark.usefixtures("plain")
def test_fields_that_nobody_knows_reach_the_backend(client: Client, fake: FakeBackend) -> None:
    turn = {"role": "user", "content": [{"type": "text", "text": "hi", "own": [1]}], "own": {"deep": None}}
    known = {"messages": [turn], "tools": [TOOL], "tool_choice": "auto", "logit_bias": {"5": -1}, "n": 1}
    unknown = {"own": {"deep": [1, 2.5, "ä", None]}, "nothing": None, "temperature": 0.123456789012345678}
    assert ask(client, **known, **unknown).status == 200
    assert sent(fake) == {"model": "the-real-one", **known, **unknown}


@pytest.mark.usefixtures("plain")
def test_members_travel_as_the_bytes_that_they_came_as(client: Client, fake: FakeBackend) -> None:
    """Numbers that no float holds, escapes, and white space."""
    odd = (
        rb'"own": { "big": 123456789012345678901234567890, "exact": 1.0000000000000000001, "text": "\u00e4" }'
    )
    body = rb'{"model": "m", "messages": [{"role": "user", "content": "hi"}], %b}' % odd
    assert client.post(PATH, body).status == 200
    assert odd.removeprefix(b'"own": ') in fake.requests[-1].raw


THOUGHT = {"reasoning": "hm", "reasoning_content": "hm"}
MESSAGE = {"role": "assistant", "content": "x", "own": [1.5], **THOUGHT, "refusal": None}
ODD_ANSWER: Json = {
    "id": "1",
    "object": "chat.completion",
    "created": 5,
    "model": "other",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop", "own": 1}],
    "usage": {"prompt_tokens": 1, "own": 2},
    "own": {"a": None},
}


@pytest.mark.usefixtures("plain")
def test_an_answer_passes_but_for_the_models_name(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.json_body(ODD_ANSWER))
    answer = ask(client, model="M:latest")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == ODD_ANSWER | {"model": "M:latest"}


HEAD: Json = {"id": "1", "object": "chat.completion.chunk", "created": 5}
GOING_ON: Json = {"index": 0, "finish_reason": None}
ODD_CHUNKS: list[Json] = [
    HEAD | {"model": "other", "choices": [GOING_ON | {"delta": {"role": "assistant", "own": 1}}]},
    HEAD | {"choices": [GOING_ON | {"delta": {"content": "Hi"}, "own": {"x": 1}, "logprobs": {"own": []}}]},
    HEAD | {"choices": [GOING_ON | {"delta": THOUGHT}], "own": "\u2028", "system_fingerprint": "fp"},
    HEAD | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"own": 5}},
    HEAD | {"choices": [], "own": "a chunk without a choice"},
]


@pytest.mark.usefixtures("plain")
def test_each_chunk_passes_but_for_the_models_name(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", Script([*map(Chunk, ODD_CHUNKS), Done()]))
    assert told(client) == [*(chunk | {"model": "m"} for chunk in ODD_CHUNKS), DONE]


@pytest.mark.usefixtures("plain")
def test_a_chunk_on_several_lines_becomes_one_line(client: Client, fake: FakeBackend) -> None:
    chunk = HEAD | {"choices": [{"index": 0, "delta": {"content": "a\nb"}, "finish_reason": "stop"}]}
    lines = json.dumps(chunk, indent=1).replace("\n", "\ndata: ")
    fake.script("the-real-one", Script([Send(f"data: {lines}\n\n".encode()), Done()]))
    assert told(client) == [chunk | {"model": "m"}, DONE]


@pytest.mark.usefixtures("plain")
def test_tools_are_called_as_the_backend_says_it(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.tool_calls_finish_stop("clock", '{"zone": "UTC"}'))
    whole = ask(client, tools=[TOOL]).json["choices"][0]
    assert whole["message"]["tool_calls"][0]["function"] == {"name": "clock", "arguments": '{"zone": "UTC"}'}
    *chunks, _ = told(client, tools=[TOOL])
    fragments = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert "".join(call["function"].get("arguments", "") for call in fragments) == '{"zone": "UTC"}'
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["finish_reason"] == "stop"


# The mapping's rules


RULES: dict[str, Any] = {
    "system": "You are terse.",
    "messages": [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}],
    "options": {"temperature": 0.2, "num_predict": 50, "stop": ["END"], "top_k": 5},
    "forced_options": {"seed": 7},
}
SYSTEM = {"role": "system", "content": "You are terse."}


@pytest.fixture
def ruled(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one", **RULES)


@pytest.mark.usefixtures("ruled")
def test_the_mappings_rules_are_applied(client: Client, fake: FakeBackend) -> None:
    assert ask(client, own=1).status == 200
    assert sent(fake) == {
        "model": "the-real-one",
        "messages": [SYSTEM, *RULES["messages"], *ASKED],
        "own": 1,
        "temperature": 0.2,
        "max_tokens": 50,
        "stop": ["END"],
        "seed": 7,
    }


@pytest.mark.usefixtures("ruled")
def test_the_client_wins_over_defaults_and_loses_to_what_is_forced(client: Client, fake: FakeBackend) -> None:
    ask(client, temperature=1, stop="x", seed=1)
    assert {"temperature": 1, "stop": "x", "seed": 7}.items() <= sent(fake).items()


@pytest.mark.usefixtures("ruled")
def test_null_is_absent(client: Client, fake: FakeBackend) -> None:
    ask(client, temperature=None, own=None)
    assert {"temperature": 0.2, "own": None}.items() <= sent(fake).items()


@pytest.mark.usefixtures("ruled")
def test_both_names_of_the_length_are_one_option(client: Client, fake: FakeBackend) -> None:
    ask(client, max_completion_tokens=9)
    assert sent(fake)["max_completion_tokens"] == 9
    assert "max_tokens" not in sent(fake)


def test_a_forced_length_replaces_both_names(client: Client, fake: FakeBackend) -> None:
    factories.route(fake, forced_options={"num_predict": 3})
    answer = ask(client, max_tokens=9, max_completion_tokens=9)
    assert answer.json["choices"][0]["finish_reason"] == "length"
    assert (sent(fake)["max_tokens"], "max_completion_tokens" in sent(fake)) == (3, False)


@pytest.mark.usefixtures("ruled")
@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_clients_system_prompt_replaces_the_mappings(
    client: Client, fake: FakeBackend, role: str
) -> None:
    turns = [{"role": role, "content": "Be long."}, *ASKED]
    ask(client, messages=turns)
    assert sent(fake)["messages"] == [turns[0], *RULES["messages"], *turns[1:]]


@pytest.mark.parametrize("turn", ["text", 5, None, [], {"role": 5}, {"content": 1}])
@pytest.mark.usefixtures("ruled")
def test_a_turn_that_is_none_is_the_backends_to_refuse(client: Client, fake: FakeBackend, turn: Any) -> None:
    fake.script("the-real-one", scripts.status(400, {"error": {"message": "messages[0] is odd"}}))
    answer = ask(client, messages=[turn])
    assert (answer.status, answer.json["error"]["message"]) == (400, "messages[0] is odd")
    assert sent(fake)["messages"][-1] == turn


def test_what_the_operator_says_of_a_model_refuses(client: Client, fake: FakeBackend) -> None:
    factories.route(fake, capabilities=["embedding"])
    refused = ask(client)
    assert (refused.status, refused.json["error"]["message"]) == (400, '"m" does not support chat')
    factories.mapping("talks", *the_backends(), capabilities=["completion"])
    refused = ask(client, model="talks", tools=[TOOL])
    assert refused.status == 400
    assert (
        refused.json["error"]["message"] == "registry.ollama.ai/library/talks:latest does not support tools"
    )
    assert (ask(client, model="talks", tools=[]).status, len(fake.requests)) == (200, 1)


def the_backends() -> list[Any]:
    from backends.models import Backend

    return list(Backend.objects.all())


# Token counts


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "asked", [{}, {"stream_options": {"include_usage": False}}, {"stream_options": None}]
)
def test_token_counts_are_for_the_ledger_unless_the_client_asks(
    client: Client, fake: FakeBackend, ledger: RecordSpy, asked: Json
) -> None:
    *chunks, done = told(client, **asked)
    assert (sse.text_of(chunks), done) == (REPLY_TEXT, DONE)
    assert not any("usage" in chunk for chunk in chunks)
    assert all(chunk["choices"] for chunk in chunks)
    assert sent(fake)["stream_options"] == {"include_usage": True}
    (record,) = ledger.wait()
    assert (record["prompt_tokens"], record["completion_tokens"]) == (1, 5)


@pytest.mark.usefixtures("plain")
def test_a_client_that_asks_gets_the_token_counts(client: Client, fake: FakeBackend) -> None:
    *chunks, last, done = told(client, stream_options={"include_usage": True, "own": 1})
    assert sent(fake)["stream_options"] == {"include_usage": True, "own": 1}
    assert all(chunk["usage"] is None for chunk in chunks)
    assert (last["choices"], last["usage"]["total_tokens"], done) == ([], 6, DONE)


@pytest.mark.usefixtures("plain")
def test_other_stream_options_stay(client: Client, fake: FakeBackend) -> None:
    told(client, stream_options={"own": 1})
    assert sent(fake)["stream_options"] == {"own": 1, "include_usage": True}


# A backend that does not stream


MISFITS: dict[str, tuple[Any, str]] = {
    "model": (5, "cannot unmarshal number into Go struct field model of type string"),
    "stream": ("yes", "cannot unmarshal string into Go struct field stream of type bool"),
    "stream_options": (
        [],
        "cannot unmarshal array into Go struct field stream_options of type openai.StreamOptions",
    ),
    "messages": ({}, "cannot unmarshal object into Go struct field messages of type []openai.Message"),
}


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(("field", "value", "text"), [(field, *rest) for field, rest in MISFITS.items()])
def test_a_field_of_a_wrong_type_is_told_as_on_every_api(
    client: Client, field: str, value: Any, text: str
) -> None:
    answer = client.post("/v1/chat/completions", chat_body() | {field: value})
    assert (answer.status, answer.json["error"]["message"]) == (400, f"json: {text}")


def test_a_body_of_null_is_an_empty_one(client: Client) -> None:
    answer = client.post("/v1/chat/completions", b"null")
    assert (answer.status, answer.json["error"]["message"]) == (400, "model is required")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("asks", [True, False])
def test_an_answer_in_one_piece_becomes_chunks(client: Client, fake: FakeBackend, asks: bool) -> None:
    fake.script("the-real-one", scripts.json_200_instead_of_sse())
    first, *counts, done = told(client, stream_options={"include_usage": asks})
    delta = {"role": "assistant", "content": REPLY_TEXT}
    (choice,) = first["choices"]
    assert (first["object"], first["model"], done) == ("chat.completion.chunk", "m", DONE)
    assert (choice["delta"], choice["finish_reason"]) == (delta, "stop")
    assert "message" not in choice
    assert "usage" not in first
    assert [(chunk["choices"], chunk["usage"]["total_tokens"]) for chunk in counts] == [([], 6)] * asks


@pytest.mark.usefixtures("plain")
def test_the_calls_of_such_an_answer_are_numbered(client: Client, fake: FakeBackend) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    reply = Reply(({"content": "Let me look.", "tool_calls": [{"index": 0, **call}]},), "tool_calls")

    def play(answer: Any) -> list[Step]:
        return [Send(json.dumps(answer.saying(reply).whole, indent=2).encode())]

    fake.script("the-real-one", Script(play, content_type="application/json", framing="length"))
    first, done = told(client, tools=[TOOL])
    delta = first["choices"][0]["delta"]
    assert (delta["content"], delta["tool_calls"]) == ("Let me look.", [{"index": 0, **call}])
    assert done == DONE


@pytest.mark.usefixtures("plain")
def test_the_first_chunk_does_not_wait_for_the_second(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.held(after=1))
    with client.open("POST", PATH, {"model": "m", "messages": ASKED, "stream": True}) as connection:
        assert connection.head().status == 200
        events = sse.events(connection.pieces())
        assert sse.text_of(next(events).data for _ in range(2)) == "Hello "
        assert not connection.has_something_to_read()
        fake.release("go")
        assert [event.data for event in events][-1] == DONE
