"""/v1/messages: Anthropic's clients over the same mappings, end to end."""

from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.steps import Chunk, Close, Reset, Step, Wait
from tests.support import factories, sse
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Answer, Client, Json
from tests.support.sse import Event

PATH = "/v1/messages"
ASKED = [{"role": "user", "content": "hi"}]
WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
PNG = "iVBORw0KGgo="
FRAME = ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one", forced_options={"seed": 7})


def ask(client: Client, **fields: Any) -> Answer:
    return client.post(PATH, {"model": "m", "max_tokens": 100, "messages": ASKED, **fields})


def told(client: Client, **fields: Any) -> list[Event]:
    """Ask for a stream; see that each event's name is its type, and that it ends as it must."""
    answer = ask(client, stream=True, **fields)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    events = list(sse.events([answer.body]))
    assert all(event.name == event.data["type"] for event in events)
    return events


def deltas(events: list[Event]) -> list[Json]:
    return [event.data["delta"] for event in events if event.name == "content_block_delta"]


def sent(fake: FakeBackend) -> Json:
    body: Json = fake.requests[-1].body
    return body


def test_a_whole_answer(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    answer = ask(client, system="Be terse.", temperature=0.5)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    body = answer.json
    assert (body["type"], body["role"], body["model"]) == ("message", "assistant", "m")
    assert body["content"] == [{"type": "text", "text": REPLY_TEXT}]
    assert (body["stop_reason"], body["stop_sequence"]) == ("end_turn", None)
    assert body["usage"] == {"input_tokens": 3, "output_tokens": 5}
    assert fake.requests[-1].path == "/v1/chat/completions"
    assert sent(fake) == {
        "model": "the-real-one",
        "messages": [{"role": "system", "content": "Be terse."}, *ASKED],
        "max_tokens": 100,
        "temperature": 0.5,
        "seed": 7,
    }
    (record,) = ledger.wait()
    assert (record["endpoint"], record["outcome"], record["completion_tokens"]) == ("v1.messages", "ok", 5)


def test_a_streamed_answer(client: Client, ledger: RecordSpy) -> None:
    events = told(client)
    assert [event.name for event in events if event.name != "content_block_delta"] == FRAME
    assert "".join(delta["text"] for delta in deltas(events)) == REPLY_TEXT
    assert events[0].data["message"]["model"] == "m"
    last = events[-2].data
    assert (last["delta"]["stop_reason"], last["usage"]["output_tokens"]) == ("end_turn", 5)
    assert outcomes(ledger.wait()) == ["ok"]


def test_the_mappings_prompt_and_example_turns(client: Client, fake: FakeBackend) -> None:
    example = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}]
    factories.mapping("ruled", factories.backend(fake, "other"), system="Be kind.", messages=example)
    ask(client, model="ruled")
    assert sent(fake)["messages"] == [{"role": "system", "content": "Be kind."}, *example, *ASKED]
    ask(client, model="ruled", system="Be terse.")
    assert sent(fake)["messages"] == [{"role": "system", "content": "Be terse."}, *example, *ASKED]


def test_thinking_has_a_block_of_its_own(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.reasoning())
    whole = ask(client).json["content"]
    assert [(block["type"], block.get("thinking") or block.get("text")) for block in whole] == [
        ("thinking", "Let me think. "),
        ("text", "Done."),
    ]
    events = told(client)
    blocks = [event.data["content_block"]["type"] for event in events if event.name == "content_block_start"]
    assert blocks == ["thinking", "text"]
    assert "".join(delta.get("thinking", "") for delta in deltas(events)) == "Let me think. "


def test_a_tool_is_called_and_its_result_comes_back(client: Client, fake: FakeBackend) -> None:
    turns: list[Json] = [{"role": "user", "content": 'use get_weather {"city": "Rome"}'}]
    first = ask(client, messages=turns, tools=[WEATHER], tool_choice={"type": "any"}).json
    (call,) = first["content"]
    assert (call["type"], call["name"], call["input"]) == ("tool_use", "get_weather", {"city": "Rome"})
    assert first["stop_reason"] == "tool_use"
    assert sent(fake)["tool_choice"] == "required"
    assert sent(fake)["tools"][0]["function"]["parameters"] == WEATHER["input_schema"]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "23 degrees"}
    turns += [{"role": "assistant", "content": first["content"]}, {"role": "user", "content": [result]}]
    second = ask(client, messages=turns, tools=[WEATHER]).json
    assert (second["content"][0]["text"], second["stop_reason"]) == (REPLY_TEXT, "end_turn")
    *_, calling, tool = sent(fake)["messages"]
    assert calling["tool_calls"][0]["id"] == tool["tool_call_id"] == call["id"]
    assert (tool["role"], tool["content"]) == ("tool", "23 degrees")


def test_a_tool_is_called_in_a_stream(client: Client) -> None:
    events = told(
        client, messages=[{"role": "user", "content": 'use get_weather {"city": "Rome"}'}], tools=[WEATHER]
    )
    (start,) = [event.data["content_block"] for event in events if event.name == "content_block_start"]
    assert (start["type"], start["name"], start["input"]) == ("tool_use", "get_weather", {})
    assert "".join(delta["partial_json"] for delta in deltas(events)).replace(" ", "") == '{"city":"Rome"}'
    assert events[-2].data["delta"]["stop_reason"] == "tool_use"


def test_an_image_reaches_the_backend(client: Client, fake: FakeBackend) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content = [{"type": "text", "text": "what is it?"}, {"type": "image", "source": source}]
    assert ask(client, messages=[{"role": "user", "content": content}]).status == 200
    (turn,) = sent(fake)["messages"]
    assert turn["content"][1] == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}


def test_a_backend_that_does_not_stream(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.json_200_instead_of_sse())
    events = told(client)
    assert "".join(delta["text"] for delta in deltas(events)) == REPLY_TEXT
    assert events[-1].name == "message_stop"


def test_tokens_are_estimated_without_a_call(client: Client, fake: FakeBackend) -> None:
    answer = client.post(f"{PATH}/count_tokens", {"model": "m", "messages": ASKED})
    assert (answer.status, list(answer.json)) == (200, ["input_tokens"])
    assert answer.json["input_tokens"] > 0
    assert fake.requests == []
    assert client.post(f"{PATH}/count_tokens", {"model": "nobody", "messages": ASKED}).status == 404


REFUSED: dict[str, tuple[Any, int, str, str]] = {
    "no body": (b"", 400, "invalid_request_error", "EOF"),
    "no JSON": (b"{]", 400, "invalid_request_error", "invalid character"),
    "no model": ({"max_tokens": 1, "messages": ASKED}, 400, "invalid_request_error", "model is required"),
    "no limit": ({"model": "m", "messages": ASKED}, 400, "invalid_request_error", "max_tokens is required"),
    "no messages": ({"model": "m", "max_tokens": 1}, 400, "invalid_request_error", "messages is required"),
    "unknown model": (
        {"model": "nobody", "max_tokens": 1, "messages": ASKED},
        404,
        "not_found_error",
        "not found",
    ),
}


@pytest.mark.parametrize(("body", "status", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_refusals_have_anthropics_shape(client: Client, body: Any, status: int, kind: str, text: str) -> None:
    assert_refused(client.call("POST", PATH, body), status, kind, text)


def assert_refused(answer: Answer, status: int, kind: str, text: str) -> None:
    assert (answer.status, list(answer.json)) == (status, ["type", "error", "request_id"])
    assert (answer.json["type"], answer.json["error"]["type"]) == ("error", kind)
    assert text in answer.json["error"]["message"]
    assert answer.json["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    ("script", "status", "kind"),
    [
        (scripts.rate_limited(), 429, "rate_limit_error"),
        (scripts.status(503), 503, "overloaded_error"),
        (scripts.status(401), 502, "api_error"),
        (scripts.cut_mid_stream(0), 502, "api_error"),
    ],
    ids=["429", "503", "401", "cut"],
)
def test_a_backends_refusal_has_anthropics_shape(
    client: Client, fake: FakeBackend, script: Script, status: int, kind: str, stream: bool
) -> None:
    fake.script("the-real-one", script)
    assert_refused(ask(client, stream=stream), status, kind, "")


def test_a_caller_who_may_not_is_told(client: Client) -> None:
    _, secret = factories.key(factories.team(models=("other",)))
    body = {"model": "m", "max_tokens": 1, "messages": ASKED}
    answer = client.call("POST", PATH, body, {"x-api-key": secret})
    assert_refused(answer, 403, "permission_error", "may not use model 'm'")


def half(*ends: Step) -> Script:
    return Script(lambda answer: [*answer.opening, *answer.content[:2], Wait("go"), *ends])


@pytest.mark.parametrize(
    "script",
    [half(Close()), half(Reset()), half(), half(Chunk({"error": {"message": "crashed"}}))],
    ids=["cut", "reset", "no finish", "error event"],
)
def test_a_broken_stream_ends_with_an_error_event(
    client: Client, fake: FakeBackend, ledger: RecordSpy, script: Script
) -> None:
    fake.script("the-real-one", script)
    body = {"model": "m", "max_tokens": 9, "messages": ASKED, "stream": True}
    with client.open("POST", PATH, body) as connection:
        assert connection.head().status == 200
        events = sse.events(connection.pieces())
        assert [next(events).name for _ in range(4)] == [*FRAME[:2], *["content_block_delta"] * 2]
        fake.release("go")
        (last,) = events
    assert (last.name, last.data["type"], last.data["error"]["type"]) == ("error", "error", "api_error")
    assert outcomes(ledger.wait()) == ["error"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_backend_is_let_go_when_the_client_leaves(
    client: Client, fake: FakeBackend, ledger: RecordSpy, stream: bool
) -> None:
    fake.script("the-real-one", scripts.held(after=2))
    body = {"model": "m", "max_tokens": 9, "messages": ASKED, "stream": stream}
    with client.open("POST", PATH, body):
        fake.wait_stream(lambda one: one.waiting == "go")
    fake.wait_aborted(timeout=1.0)
    assert outcomes(ledger.wait()) == ["client_closed"]
