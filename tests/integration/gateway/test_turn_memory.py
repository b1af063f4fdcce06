"""What backends want back with the results of their tool calls comes back, though no client can carry it."""

import json
from typing import Any

import pytest

from gateway import replay_store
from tests.conftest import Change
from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Chunk, Done, Send
from tests.support import factories, legs
from tests.support.raw_http import Client, Json

SIGNATURE: Json = {"google": {"thought_signature": "QUJD"}}
CALL: Json = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
DETAILS = [
    {"type": "reasoning.text", "text": "Let me ", "index": 0},
    {"type": "reasoning.text", "text": "add.", "index": 0, "signature": "sig"},
]
WANTED_BACK = [{"type": "reasoning.text", "text": "Let me add.", "index": 0, "signature": "sig"}]
BLOCKS: list[Json] = [
    {"type": "thinking", "thinking": "Let me "},
    {"type": "thinking", "thinking": "add."},
    {"type": "thinking", "thinking": "", "signature": "one"},
    {"type": "thinking", "thinking": "Done.", "signature": "two"},
]
BLOCKS_WANTED_BACK: list[Json] = [
    {"type": "thinking", "thinking": "Let me add.", "signature": "one"},
    {"type": "thinking", "thinking": "Done.", "signature": "two"},
]
TOOL: Json = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}


def chunk(delta: Json, finish: str | None = None) -> Chunk:
    return Chunk({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def answering(call: Json, deltas: list[Json], *, streamed: bool) -> Script:
    """Call a tool, and give something along."""
    if streamed:
        events = [chunk(delta) for delta in deltas]
        return Script(
            [*events, chunk({"tool_calls": [{"index": 0, **call}]}), chunk({}, "tool_calls"), Done()]
        )
    message: Json = {"role": "assistant", "content": None, "tool_calls": [call]}
    for delta in deltas:
        for name, value in delta.items():
            message[name] = message[name] + value if name in message else value
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    return Script([Send(json.dumps(body).encode())], content_type="application/json", framing="length")


KINDS: dict[str, tuple[Json, list[Json], Any, str]] = {
    "gemini": ({**CALL, "extra_content": SIGNATURE}, [], SIGNATURE, "extra_content"),
    "deepseek": (
        CALL,
        [{"reasoning_content": "Let me "}, {"reasoning_content": "add."}],
        "Let me add.",
        "reasoning_content",
    ),
    "litellm": (
        CALL,
        [{"thinking_blocks": [part], "reasoning_content": part["thinking"]} for part in BLOCKS],
        BLOCKS_WANTED_BACK,
        "thinking_blocks",
    ),
    "openrouter": (
        CALL,
        [{"reasoning_details": [part]} for part in DETAILS],
        WANTED_BACK,
        "reasoning_details",
    ),
}
STORES = ["memory", pytest.param("redis", marks=pytest.mark.redis)]


@pytest.fixture(autouse=True)
def _begin(database: None) -> None:
    replay_store.forget()


def ask(client: Client, *turns: Json, stream: bool, **headers: str) -> Json:
    """Ask with a tool; give the assistant's turn."""
    messages = [{"role": "user", "content": "hi"}, *turns]
    body = {"model": "m", "messages": messages, "tools": [TOOL], "stream": stream}
    answer = client.call("POST", "/api/chat", body, headers)
    assert answer.status == 200, answer.text
    lines = answer.lines if stream else [answer.json]
    calls = [call for line in lines for call in line["message"].get("tool_calls", ())]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(**more: Any) -> Json:
    return {"role": "tool", "tool_name": "add", "content": "3", **more}


def sent_turn(fake: FakeBackend) -> Json:
    """Give the assistant's turn as the backend saw it."""
    (turn,) = (turn for turn in fake.requests[-1].json["messages"] if turn["role"] == "assistant")
    found: Json = turn
    return found


def given_back(turn: Json, name: str) -> Any:
    return turn["tool_calls"][0].get(name) if name == "extra_content" else turn.get(name)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_with_the_result(
    client: Client, fake: FakeBackend, change: Change, kind: str, streamed: bool, store: str
) -> None:
    change(redis_url=legs.url(legs.REDIS) if store == "redis" else "")
    call, deltas, wanted, name = KINDS[kind]
    factories.mapping("m", factories.backend(fake, dialect=kind), model="theirs")
    fake.script_once("theirs", answering(call, deltas, streamed=streamed))
    turn = ask(client, stream=streamed)
    assert name not in json.dumps(turn)
    for made in turn["tool_calls"]:
        del made["id"]  # as most clients do
        made["function"]["arguments"] = dict(reversed(made["function"]["arguments"].items()))
    ask(client, turn, result(), stream=streamed)
    assert given_back(sent_turn(fake), name) == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_when_it_is_gone_the_request_works_and_the_trace_says_so(
    client: Client, fake: FakeBackend, kind: str
) -> None:
    call, deltas, _, name = KINDS[kind]
    factories.mapping("m", factories.backend(fake, dialect=kind), model="theirs")
    fake.script_once("theirs", answering(call, deltas, streamed=True))
    turn = ask(client, stream=True)
    replay_store.forget()
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}, turn, result()], "stream": False}
    answer = client.call("POST", "/api/chat", body, {"X-Llamagate-Trace": "1"})
    assert answer.status == 200
    assert given_back(sent_turn(fake), name) == (" " if kind == "deepseek" else None)
    assert "nothing is kept that the backend gave" in answer.headers["x-llamagate-trace"]


def test_a_clients_own_thinking_goes_back_where_it_is_wanted(client: Client, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect="deepseek"), model="theirs")
    turn: Json = {
        "role": "assistant",
        "thinking": "I will add.",
        "tool_calls": [{"function": {"name": "add", "arguments": {}}}],
    }
    ask(client, turn, result(), stream=False)
    assert sent_turn(fake)["reasoning_content"] == "I will add."


THOUGHT = {"type": "thinking", "thinking": "I will add.", "signature": "s"}
USE = {"type": "tool_use", "id": "c1", "name": "add", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "3"}
HI: Json = {"role": "user", "content": "hi"}
CARRIED: dict[str, Json] = {
    "/v1/messages": {
        "max_tokens": 99,
        "messages": [
            HI,
            {"role": "assistant", "content": [THOUGHT, {"type": "redacted_thinking", "data": "x"}, USE]},
            {"role": "user", "content": [RESULT]},
        ],
    },
    "/v1/responses": {
        "input": [
            HI,
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "I will add."}]},
            {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "3"},
        ]
    },
}


@pytest.mark.parametrize("path", CARRIED)
@pytest.mark.parametrize(("kind", "wanted"), [("deepseek", "I will add."), ("generic", None)])
def test_thinking_that_other_faces_carry_goes_back_where_it_is_wanted(
    client: Client, fake: FakeBackend, path: str, kind: str, wanted: str | None
) -> None:
    factories.mapping("m", factories.backend(fake, dialect=kind), model="theirs")
    assert client.post(path, {"model": "m", **CARRIED[path]}).status == 200
    assert sent_turn(fake).get("reasoning_content") == wanted


def test_other_kinds_get_nothing_back(client: Client, fake: FakeBackend) -> None:
    call, deltas, _, _ = KINDS["openrouter"]
    factories.route(fake)
    fake.script_once("m", answering({**call, "extra_content": SIGNATURE}, deltas, streamed=True))
    turn = ask(client, stream=True)
    ask(client, {**turn, "thinking": "hm"}, result(), stream=True)
    assert set(sent_turn(fake)) == {"role", "content", "tool_calls"}
    assert "extra_content" not in sent_turn(fake)["tool_calls"][0]


def test_nobody_gets_what_anothers_calls_brought(client: Client, fake: FakeBackend) -> None:
    call, deltas, _, name = KINDS["gemini"]
    factories.mapping("m", factories.backend(fake, dialect="gemini"), model="theirs")
    secrets = [factories.key(factories.team(team))[1] for team in ("one", "two")]
    fake.script_once("theirs", answering(call, deltas, streamed=True))
    turn = ask(client, stream=True, **{"X-API-Key": secrets[0]})
    ask(client, turn, result(), stream=True, **{"X-API-Key": secrets[1]})
    assert given_back(sent_turn(fake), name) is None
    ask(client, turn, result(), stream=True, **{"X-API-Key": secrets[0]})
    assert given_back(sent_turn(fake), name) == SIGNATURE


def test_it_comes_back_over_the_messages_api_too(client: Client, fake: FakeBackend) -> None:
    call, deltas, wanted, name = KINDS["deepseek"]
    factories.mapping("m", factories.backend(fake, dialect="deepseek"), model="theirs")
    fake.script_once("theirs", answering(call, deltas, streamed=False))
    tools = [{"name": "add", "input_schema": {"type": "object"}}]
    first: list[Json] = [{"role": "user", "content": "hi"}]
    body = {"model": "m", "max_tokens": 99, "tools": tools, "messages": first}
    said = client.post("/v1/messages", body).json["content"]
    use = next(block for block in said if block["type"] == "tool_use")
    results = [{"type": "tool_result", "tool_use_id": use["id"], "content": "3"}]
    turns = [*first, {"role": "assistant", "content": [use]}, {"role": "user", "content": results}]
    assert client.post("/v1/messages", {**body, "messages": turns}).status == 200
    assert given_back(sent_turn(fake), name) == wanted


def test_a_call_is_known_by_its_id_where_the_client_sends_it(client: Client, fake: FakeBackend) -> None:
    """Two conversations of one caller that call the same do not get each other's."""
    call, _, _, name = KINDS["deepseek"]
    factories.mapping("m", factories.backend(fake, dialect="deepseek"), model="theirs")
    turns = []
    for thought in ("one", "two"):
        deltas = [{"reasoning_content": thought}]
        fake.script_once("theirs", answering({**call, "id": thought}, deltas, streamed=True))
        turns.append(ask(client, stream=True))
    for turn, thought in zip(turns, ("one", "two"), strict=True):
        ask(client, turn, result(tool_call_id=thought), stream=True)
        assert given_back(sent_turn(fake), name) == thought


def test_what_is_too_large_is_not_kept(
    client: Client, fake: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_store, "LARGEST", 20)
    call, deltas, _, name = KINDS["deepseek"]
    factories.mapping("m", factories.backend(fake, dialect="deepseek"), model="theirs")
    fake.script_once("theirs", answering(call, deltas, streamed=True))
    ask(client, ask(client, stream=True), result(), stream=True)
    assert given_back(sent_turn(fake), name) == " "
