"""/v1/messages and /v1/responses towards a backend that has them itself: what came passes."""

import base64
import json
from typing import Any

import msgspec
import openai
import pytest

from backends.routing import registry
from backends.wire import dialects
from backends.wire.dialects import DIALECTS
from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Answer, Client, Json

MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "their-name",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2, "own": 1},
}
RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "model": "their-name",
    "status": "completed",
    "output": [],
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
DELTA: Json = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "citations_delta", "citation": {"a": 1}},
}


def event(data: Json) -> Send:
    return Send(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode())


MESSAGE_EVENTS = (
    {"type": "message_start", "message": MESSAGE},
    {"type": "ping"},
    DELTA,
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop"},
)
RESPONSE_EVENTS = (
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "usage": None}},
    {"type": "response.output_text.delta", "delta": "Hi", "sequence_number": 1},
    {"type": "response.completed", "response": RESPONSE},
)


def whole(body: Json) -> Script:
    return Script([Send(json.dumps(body).encode())], content_type="application/json", framing="length")


def streamed(*events: Json) -> Script:
    return Script([event(data) for data in events], content_type="text/event-stream")


def ask(client: Client, api: str, **fields: Any) -> Answer:
    body = {"model": "m", "messages": [], "input": "hi", "own_field": [1], **fields}
    del body["input" if api == "messages" else "messages"]
    return client.post(f"/v1/{api}", body)


def events_of(answer: Answer) -> list[Json]:
    blocks = answer.body.decode().strip().split("\n\n")
    found = [json.loads(block.partition("\ndata: ")[2]) for block in blocks]
    assert [block.partition("\n")[0] for block in blocks] == [f"event: {one['type']}" for one in found]
    return found


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend, _both: None) -> None:
    factories.mapping(
        "m",
        factories.backend(fake, dialect="both"),
        model="their-name",
        options={"temperature": 0.2, "top_k": 5},
        forced_options={"num_predict": 50},
        system="Be kind.",
        messages=[{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}],
    )


@pytest.fixture(autouse=True)
def _both(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of backend that has both."""
    both = msgspec.structs.replace(
        DIALECTS["generic"], name="both", has_messages_api=True, has_responses_api=True
    )
    table = {**DIALECTS, "both": both}
    monkeypatch.setattr(registry, "DIALECTS", table)
    monkeypatch.setattr(dialects, "DIALECTS", table)


def test_a_message_passes_with_the_mappings_rules(client: Client, fake: FakeBackend) -> None:
    fake.route("POST", "/messages", whole(MESSAGE))
    answer = ask(client, "messages", messages=[{"role": "user", "content": "hi"}], max_tokens=9)
    assert (answer.status, answer.json) == (200, {**MESSAGE, "model": "m"})
    assert fake.requests[-1].path == "/v1/messages"
    assert fake.requests[-1].json == {
        "model": "their-name",
        "messages": [
            {"role": "user", "content": "1+1"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "hi"},
        ],
        "own_field": [1],
        "temperature": 0.2,
        "top_k": 5,
        "max_tokens": 50,
        "system": "Be kind.",
    }


def test_a_response_passes_with_the_mappings_rules(client: Client, fake: FakeBackend) -> None:
    fake.route("POST", "/responses", whole(RESPONSE))
    answer = ask(client, "responses", temperature=1, instructions="Mine.", tools=[{"type": "web_search"}])
    assert (answer.status, answer.json) == (200, {**RESPONSE, "model": "m"})
    assert fake.requests[-1].json == {
        "model": "their-name",
        "input": [
            {"role": "user", "content": "1+1"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "hi"},
        ],
        "own_field": [1],
        "temperature": 1,
        "instructions": "Mine.",
        "tools": [{"type": "web_search"}],
        "max_output_tokens": 50,
    }


@pytest.mark.parametrize(
    ("api", "sent", "inner"),
    [("messages", MESSAGE_EVENTS, "message"), ("responses", RESPONSE_EVENTS, "response")],
)
def test_a_stream_passes_under_the_clients_name(
    client: Client, fake: FakeBackend, ledger: RecordSpy, api: str, sent: tuple[Json, ...], inner: str
) -> None:
    fake.route("POST", f"/{api}", streamed(*sent))
    answer = ask(client, api, stream=True)
    assert answer.headers["content-type"] == "text/event-stream"
    renamed = [{**data, inner: {**data[inner], "model": "m"}} if inner in data else data for data in sent]
    assert events_of(answer) == renamed
    (record,) = ledger.wait(1)
    assert (record["prompt_tokens"], record["completion_tokens"]) == (5, 7 if api == "messages" else 2)


@pytest.mark.parametrize("api", ["messages", "responses"])
def test_a_failure_before_the_answer_has_a_status(client: Client, fake: FakeBackend, api: str) -> None:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded", "code": 529}}
    fake.route("POST", f"/{api}", streamed(said))
    answer = ask(client, api, stream=True)
    assert answer.status == 503
    assert answer.json["error"]["message"] == "Overloaded"


@pytest.mark.parametrize(("api", "sent"), [("messages", MESSAGE_EVENTS), ("responses", RESPONSE_EVENTS)])
def test_a_cut_stream_ends_with_an_error(
    client: Client, fake: FakeBackend, ledger: RecordSpy, api: str, sent: tuple[Json, ...]
) -> None:
    fake.route("POST", f"/{api}", streamed(*sent[:-1]))
    *_, last = events_of(ask(client, api, stream=True))
    assert last["type"] == "error"
    assert "closed the stream" in json.dumps(last)
    assert outcomes(ledger.wait(1)) == ["error"]


def test_an_error_in_mid_stream_is_told_in_the_apis_shape(client: Client, fake: FakeBackend) -> None:
    broken = {"type": "error", "error": {"type": "api_error", "message": "boom"}}
    fake.route("POST", "/messages", streamed(*MESSAGE_EVENTS[:3], broken))
    *_, last = events_of(ask(client, "messages", stream=True))
    assert (last["type"], last["error"]["message"]) == ("error", "boom")


def test_openais_library_raises_when_a_response_that_passes_breaks_off(
    client: Client, fake: FakeBackend
) -> None:
    fake.route("POST", "/responses", streamed(*RESPONSE_EVENTS[:-1]))
    library = openai.OpenAI(base_url=f"http://127.0.0.1:{client.port}/v1", api_key="none")
    with library, pytest.raises(openai.APIError, match="closed the stream"):
        list(library.responses.create(model="m", input="hi", stream=True))


@pytest.mark.parametrize("given", [5, {"a": 1}, None])
def test_turns_that_are_none_are_the_backends_to_refuse(
    client: Client, fake: FakeBackend, given: Any
) -> None:
    fake.route("POST", "/responses", scripts.status(400, "input is wrong"))
    answer = ask(client, "responses", input=given)
    assert (answer.status, answer.json["error"]["message"]) == (400, "input is wrong")
    assert fake.requests[-1].json["input"] == given


def test_headers_that_members_need_go_along_and_no_others(client: Client, fake: FakeBackend) -> None:
    fake.route("POST", "/messages", whole(MESSAGE))
    headers = {"anthropic-beta": "one-2026,two", "anthropic-version": "2024-01-01", "X-Own": "secret"}
    body = {"model": "m", "messages": [], "max_tokens": 5}
    assert client.call("POST", "/v1/messages", body, headers).status == 200
    sent = fake.requests[-1].headers
    assert (sent["anthropic-beta"], sent["anthropic-version"]) == ("one-2026,two", "2024-01-01")
    assert "x-own" not in sent


def test_it_is_translated_where_one_of_the_targets_has_it_not(client: Client, fake: FakeBackend) -> None:
    with FakeBackend() as other:
        factories.mapping("n", factories.backend(fake, "a", dialect="both"), factories.backend(other, "b"))
        answer = ask(client, "messages", model="n", messages=[{"role": "user", "content": "x"}], max_tokens=9)
    assert answer.json["type"] == "message"
    assert fake.requests[-1].path == "/v1/chat/completions"


def test_an_unknown_model_and_a_bad_body_are_told_as_ever(client: Client) -> None:
    asked = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
    assert ask(client, "messages", model="nobody", **asked).status == 404
    assert client.post("/v1/messages", b"{").status == 400


OUTPUT = {"type": "message", "id": "i", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}
WHOLES = [("messages", MESSAGE), ("responses", {**RESPONSE, "output": [OUTPUT]})]


@pytest.mark.parametrize(("api", "body"), WHOLES)
def test_a_whole_answer_where_a_stream_was_asked_for_becomes_events(
    client: Client, fake: FakeBackend, api: str, body: Json
) -> None:
    fake.route("POST", f"/{api}", whole(body))
    events = events_of(ask(client, api, stream=True))
    deltas = [event["delta"] for event in events if event["type"].endswith("_text.delta")]
    deltas += [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == ["Hi"]
    assert events[-1]["type"] in ("message_stop", "response.completed")
    assert "their-name" not in json.dumps(events)


@pytest.mark.parametrize(("api", "events"), [("messages", MESSAGE_EVENTS), ("responses", RESPONSE_EVENTS)])
def test_events_where_a_whole_answer_was_asked_for_become_one(
    client: Client, fake: FakeBackend, api: str, events: tuple[Json, ...]
) -> None:
    fake.route("POST", f"/{api}", streamed(*events))
    answer = ask(client, api).json
    assert answer["model"] == "m"
    assert answer["type" if api == "messages" else "object"] == api.removesuffix("s")
    assert answer["usage"]["output_tokens"] == (7 if api == "messages" else 2)


KEY = 'nvapi-Canary/0a1b2c3d4e5f"6g7h8i9j0k1l2m'
FAILED: Json = {
    "type": "response.failed",
    "response": {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": KEY}},
}


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_a_key_in_an_event_that_passes_is_taken_out(client: Client, fake: FakeBackend, cut: int) -> None:
    """In whatever way it is written, and however the network cuts it."""
    encoded = base64.b64encode(f"x:{KEY}".encode()).decode()
    factories.mapping("keyed", factories.backend(fake, "keyed", dialect="both", api_key=KEY))
    failed = {**FAILED, "response": {**FAILED["response"], "error": {"code": "x", "message": encoded}}}
    events: list[Json] = [*RESPONSE_EVENTS[:2], FAILED, failed]
    sent = b"".join(event(data).data for data in events)
    pieces = [Send(sent[start : start + cut]) for start in range(0, len(sent), cut)]
    fake.route("POST", "/responses", Script(pieces, content_type="text/event-stream"))
    answer = ask(client, "responses", model="keyed", stream=True)
    *_, first, second = events_of(answer)
    assert first["response"]["error"]["message"] == "[redacted]"
    assert second["response"]["error"]["message"] == "eDp[redacted]"  # which says `x:`
    assert "Canary" not in answer.body.decode()
