"""Tool calls whose arguments are sent in odd ways: one call each, over the socket, whole and streamed."""

import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Chunk, Done, Send
from tests.support import factories
from tests.support.raw_http import Client, Json

TOOL: Json = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}
ASKED: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [TOOL]}
ODD: dict[str, list[Any]] = {
    "an empty object first": ["{}", '{"x":', "1}"],
    "an object twice": ['{"x":1}', '{"x":1}'],
    "an object twice in one text": ['{"x":1}{"x":1}'],
    "an object instead of text": [{"x": 1}],
    "an empty object, then an object": ["{}", {"x": 1}],
}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _fragment(arguments: Any, *, is_first: bool) -> Json:
    head = {"id": "c", "type": "function"} if is_first else {}
    return {"index": 0, **head, "function": {**({"name": "f"} if is_first else {}), "arguments": arguments}}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("pieces", ODD.values(), ids=ODD)
def test_it_is_one_call(client: Client, fake: FakeBackend, pieces: list[Any], stream: bool) -> None:
    calls = [_fragment(piece, is_first=not place) for place, piece in enumerate(pieces)]
    end = {"index": 0, "finish_reason": "tool_calls"}
    if stream:
        said = [Chunk({"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]}) for one in calls]
        fake.script("m", Script([*said, Chunk({"choices": [{**end, "delta": {}}]}), Done()]))
    else:
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        fake.script("m", Script([Send(json.dumps({"choices": [{**end, "message": message}]}).encode())]))
    answer = client.post("/api/chat", {**ASKED, "stream": stream})
    assert answer.status == 200
    messages = [line["message"] for line in (answer.lines if stream else [answer.json])]
    found = [one["function"] for message in messages for one in message.get("tool_calls", ())]
    assert [(one["name"], one["arguments"]) for one in found] == [("f", {"x": 1})]
