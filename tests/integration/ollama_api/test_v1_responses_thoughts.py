"""Thinking between the turns of a tool loop, for clients that keep nothing on the server."""

import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Reply, scripts
from tests.fake_backend.replies import call_fragments
from tests.support import factories, sse
from tests.support.raw_http import Client, Json

PATH = "/v1/responses"
ASKED: Json = {"role": "user", "content": "hi"}
TOOL: Json = {"type": "function", "name": "clock", "parameters": {"type": "object"}}
BODY: Json = {"model": "m", "tools": [TOOL], "include": ["reasoning.encrypted_content"], "store": False}
SAID = Reply(({"reasoning_content": "Let me think."}, *call_fragments("clock", "{}")), "tool_calls")
SEALED = "gAAAAABoISQ24OyVRYbkYfukdJoqdzWT-6FJErvl0b_7Bm=="


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    """A kind of backend that wants its thinking back with the results of its calls."""
    factories.mapping("m", factories.backend(fake, dialect="deepseek"))


def respond(client: Client, items: list[Json], *, stream: bool = False) -> list[Json]:
    answer = client.post(PATH, BODY | {"input": items, "stream": stream})
    assert answer.status == 200, answer.text
    told = sse.data_of(answer.body)[-1]["response"] if stream else answer.json
    output: list[Json] = told["output"]
    return output


def hear_thinking(client: Client, fake: FakeBackend, item: Json) -> Any:
    """Send a thought back before a call that this server has never seen; give what the backend hears."""
    call = {"type": "function_call", "call_id": "unseen", "name": "clock", "arguments": '{"never": "seen"}'}
    result = {"type": "function_call_output", "call_id": "unseen", "output": "noon"}
    respond(client, [ASKED, item, call, result])
    _, calling, _ = fake.requests[-1].body["messages"]
    assert calling["tool_calls"][0]["id"] == "unseen"
    return (calling.get("reasoning_content") or "").strip()


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_thinking_survives_without_its_summary(client: Client, fake: FakeBackend, stream: bool) -> None:
    fake.script_once("m", scripts.saying(SAID))
    item, _ = respond(client, [ASKED], stream=stream)
    assert item["encrypted_content"]
    assert hear_thinking(client, fake, item | {"summary": []}) == "Let me think."
    assert hear_thinking(client, fake, item) == "Let me think."


def test_the_item_is_told_with_it_when_it_is_done(client: Client, fake: FakeBackend) -> None:
    fake.script_once("m", scripts.saying(SAID))
    events = sse.data_of(client.post(PATH, BODY | {"input": "hi", "stream": True}).body)
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    opened = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    assert "encrypted_content" in items[0] and "encrypted_content" not in opened[0]
    assert "encrypted_content" not in items[1]


def test_an_ollamas_is_plain_text(client: Client, fake: FakeBackend) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "I think so."}
    assert hear_thinking(client, fake, item) == "I think so."


@pytest.mark.parametrize("sealed", [SEALED, None, 5, json.dumps(SEALED)[1:-1]])
def test_what_is_sealed_is_never_read_as_thinking(client: Client, fake: FakeBackend, sealed: Any) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed}
    assert not hear_thinking(client, fake, item)
    assert SEALED.encode() not in fake.requests[-1].raw


def test_a_summary_is_read_and_not_the_seal(client: Client, fake: FakeBackend) -> None:
    summary = [{"type": "summary_text", "text": "Short."}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": SEALED}
    assert hear_thinking(client, fake, item) == "Short."


def test_ours_does_not_reach_who_seals_its_own(client: Client, fake: FakeBackend) -> None:
    """OpenAI refuses what it has not sealed, and the conversation would be lost with it."""
    fake.script_once("m", scripts.saying(SAID))
    ours, call = respond(client, [ASKED])
    sealed = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": SEALED}
    factories.mapping("passed", factories.backend(fake, "passed", dialect="openai"))
    fake.route(
        "POST", "/responses", scripts.json_body({"id": "r", "model": "m", "output": [], "type": "response"})
    )
    speaks = ASKED | {"content": ours["encrypted_content"]}
    answer = client.post(PATH, BODY | {"model": "passed", "input": [speaks, ours, sealed, call]})
    assert answer.status == 200, answer.text
    assert fake.requests[-1].body["input"] == [speaks, sealed, call]
