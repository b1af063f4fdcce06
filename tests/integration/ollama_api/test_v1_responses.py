"""/v1/responses: translated to chat completions and back, end to end, and read with OpenAI's own types."""

from typing import Any

import pytest
from openai.types.responses import Response

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.steps import Chunk, Close, Step, Wait
from tests.support import factories, sse
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Answer, Client, Json
from tests.unit.ollama_api.responses_parts import events_in

PATH = "/v1/responses"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one", system="Be kind.", forced_options={"seed": 7})


def ask(client: Client, given: Any = "hi", **fields: Any) -> Answer:
    return client.post(PATH, {"model": "m", "input": given, **fields})


def whole(client: Client, given: Any = "hi", **fields: Any) -> Any:
    answer = ask(client, given, **fields)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return Response.model_validate_json(answer.body, strict=True)


def told(client: Client, given: Any = "hi", **fields: Any) -> list[Any]:
    answer = ask(client, given, stream=True, **fields)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    return events_in(answer.body)


def sent(fake: FakeBackend) -> Json:
    body: Json = fake.requests[-1].body
    return body


def test_a_whole_answer(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    response = whole(client, instructions="Be terse.", temperature=0.5, max_output_tokens=100)
    assert (response.model, response.status, response.output_text) == ("m", "completed", REPLY_TEXT)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (3, 5)
    assert sent(fake) == {
        "model": "the-real-one",
        "messages": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "max_tokens": 100,
        "seed": 7,
    }
    (record,) = ledger.wait()
    assert (record["endpoint"], record["outcome"], record["completion_tokens"]) == ("v1.responses", "ok", 5)


def test_a_streamed_answer(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    events = told(client)
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(texts) == REPLY_TEXT
    assert (events[-1].type, events[-1].response.output_text) == ("response.completed", REPLY_TEXT)
    assert sent(fake)["messages"][0] == {"role": "system", "content": "Be kind."}
    assert outcomes(ledger.wait()) == ["ok"]


def test_thinking_is_an_item_of_its_own(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.reasoning())
    for response in (whole(client), told(client)[-1].response):
        thought, said = response.output
        assert (thought.type, thought.summary[0].text) == ("reasoning", "Let me think. ")
        assert (said.type, response.output_text) == ("message", "Done.")


def test_a_tool_is_called_and_its_result_comes_back(client: Client, fake: FakeBackend) -> None:
    items: list[Json] = [{"role": "user", "content": 'use get_weather {"city": "Rome"}'}]
    for response in (
        whole(client, items, tools=[WEATHER]),
        told(client, items, tools=[WEATHER])[-1].response,
    ):
        (call,) = response.output
        assert (call.type, call.name, call.arguments.replace(" ", "")) == (
            "function_call",
            "get_weather",
            '{"city":"Rome"}',
        )
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "23 degrees"}
    again = whole(client, [*items, call.model_dump(), output], tools=[WEATHER])
    assert again.output_text == REPLY_TEXT
    *_, calling, tool = sent(fake)["messages"]
    assert calling["tool_calls"][0]["id"] == tool["tool_call_id"] == call.call_id
    assert (tool["role"], tool["content"]) == ("tool", "23 degrees")


def test_an_image_reaches_the_backend(client: Client, fake: FakeBackend) -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    content = [{"type": "input_text", "text": "what is it?"}, {"type": "input_image", "image_url": url}]
    assert ask(client, [{"role": "user", "content": content}]).status == 200
    assert sent(fake)["messages"][-1]["content"][1] == {"type": "image_url", "image_url": {"url": url}}


def test_a_backend_that_does_not_stream(client: Client, fake: FakeBackend) -> None:
    fake.script("the-real-one", scripts.json_200_instead_of_sse())
    assert told(client)[-1].response.output_text == REPLY_TEXT


REFUSED: dict[str, tuple[Any, int, str, str]] = {
    "no body": (b"", 400, "invalid_request_error", "EOF"),
    "no JSON": (b"{]", 400, "invalid_request_error", "invalid character"),
    "no model": ({"input": "hi"}, 400, "invalid_request_error", "model is required"),
    "no input": ({"model": "m"}, 400, "invalid_request_error", "input is required"),
    "a kept response": (
        {"model": "m", "input": "hi", "previous_response_id": "resp_1"},
        400,
        "invalid_request_error",
        "keeps no responses",
    ),
    "unknown model": ({"model": "nobody", "input": "hi"}, 404, "not_found_error", "not found"),
}


@pytest.mark.parametrize(("body", "status", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_refusals_have_openais_shape(client: Client, body: Any, status: int, kind: str, text: str) -> None:
    answer = client.call("POST", PATH, body)
    error = answer.json["error"]
    assert (answer.status, error["type"], error["param"], error["code"]) == (status, kind, None, None)
    assert text in error["message"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_backends_refusal_has_openais_shape(client: Client, fake: FakeBackend, stream: bool) -> None:
    fake.script("the-real-one", scripts.rate_limited(5))
    answer = ask(client, stream=stream)
    assert (answer.status, answer.headers["retry-after"]) == (429, "5")
    assert answer.json["error"]["type"] == "api_error"


def half(*ends: Step) -> Script:
    return Script(lambda answer: [*answer.opening, *answer.content[:2], Wait("go"), *ends])


@pytest.mark.parametrize(
    "script",
    [half(Close()), half(), half(Chunk({"error": {"message": "crashed"}}))],
    ids=["cut", "no finish", "error event"],
)
def test_a_broken_stream_ends_with_an_error_event(
    client: Client, fake: FakeBackend, ledger: RecordSpy, script: Script
) -> None:
    fake.script("the-real-one", script)
    with client.open("POST", PATH, {"model": "m", "input": "hi", "stream": True}) as connection:
        assert connection.head().status == 200
        events = sse.events(connection.pieces())
        for event in events:
            if event.name == "response.output_text.delta" and event.data["delta"] == "from ":
                fake.release("go")
                break
        names = [event.name for event in events]
    assert "error" in names
    assert "response.completed" not in names
    assert outcomes(ledger.wait()) == ["error"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_backend_is_let_go_when_the_client_leaves(
    client: Client, fake: FakeBackend, ledger: RecordSpy, stream: bool
) -> None:
    fake.script("the-real-one", scripts.held(after=2))
    with client.open("POST", PATH, {"model": "m", "input": "hi", "stream": stream}):
        fake.wait_stream(lambda one: one.waiting == "go")
    fake.wait_aborted(timeout=1.0)
    assert outcomes(ledger.wait()) == ["client_closed"]
