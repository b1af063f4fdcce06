"""The obedient model: which tool it calls with what, which form it fills in, when it thinks and stops."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from . import REPLY_TEXT, FakeBackend, scripts
from .client import Client, text_of
from .schemas import sample


@pytest.fixture
def client() -> Iterator[Client]:
    with FakeBackend() as fake, Client(fake.port) as made:
        fake.script("m", scripts.obedient())
        yield made


def tool(name: str, /, **kinds: str) -> dict[str, Any]:
    properties = {field: {"type": kind} for field, kind in kinds.items()}
    return {"type": "function", "function": {"name": name, "parameters": {"properties": properties}}}


ADD, GREET = tool("add", a="integer", b="number"), tool("greet", name="string", warmly="boolean")


def calls(client: Client, text: str, **fields: Any) -> list[tuple[str, Any]]:
    message = client.whole(text, **fields)["choices"][0]["message"]
    functions = [call["function"] for call in message.get("tool_calls", ())]
    return [(function["name"], json.loads(function["arguments"])) for function in functions]


SUM = ("add", {"a": 1, "b": 2.0})


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("What is 1 + 2?", {"tools": [ADD]}, [SUM]),
        ("What is add(1, 2)? Not 3.", {"tools": [GREET, ADD]}, [SUM]),
        ("add(1, 2), then add(-3, 0.5)", {"tools": [ADD]}, [SUM, ("add", {"a": -3, "b": 0.5})]),
        ("greet 'Zoë'", {"tools": [ADD, GREET]}, [("greet", {"name": "Zoë", "warmly": True})]),
        ("Hello", {"tools": [ADD, GREET]}, [("add", {"a": 7, "b": 1.5})]),
        ("1 2", {"tools": [GREET, ADD], "tool_choice": {"function": {"name": "add"}}}, [SUM]),
        ("What is 1 + 2?", {"tools": [ADD], "tool_choice": "none"}, []),
        ("echo: add(1, 2)", {"tools": [ADD]}, []),
        ("What is 1 + 2?", {}, []),
    ],
)
def test_tools(client: Client, text: str, fields: dict[str, Any], expected: list[Any]) -> None:
    assert calls(client, text, **fields) == expected


def test_a_tools_result_is_talked_about(client: Client) -> None:
    messages = [{"role": "user", "content": "1 2"}, {"role": "tool", "content": "3", "tool_call_id": "x"}]
    assert client.whole(messages=messages, tools=[ADD])["choices"][0]["message"]["content"] == REPLY_TEXT


NESTED = {
    "$defs": {
        "Node": {"properties": {"size": {"type": ["null", "integer"]}, "next": {"$ref": "#/$defs/Node"}}}
    },
    "type": "object",
    "properties": {
        "kind": {"const": "tree"},
        "colour": {"enum": ["red", "blue"]},
        "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        "many": {"type": "array", "items": {"type": "number"}},
        "anything": {},
        "nothing": {"type": "null"},
    },
}


def test_a_form_is_filled_in(client: Client) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": NESTED}}
    text = text_of(client.stream("Two: 'one' of 4", response_format=wanted))
    assert json.loads(text) == {
        "kind": "tree",
        "colour": "red",
        "note": "one",
        "many": [4.0],
        "anything": None,
        "nothing": None,
    }
    text = text_of(client.stream("With 'a' and 'b' keys.", response_format={"type": "json_object"}))
    assert json.loads(text) == {"a": "Paris", "b": "Paris"}


def test_a_schema_that_contains_itself_has_an_end() -> None:
    value = sample({**NESTED, "properties": {"node": {"$ref": "#/$defs/Node"}}}, "5")
    assert value["node"]["size"] == 5
    assert value["node"]["next"]["next"]["size"] == 7


def test_it_thinks_when_told_and_stops_where_told(client: Client) -> None:
    message = client.whole("Think hard.")["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Let me think. ", REPLY_TEXT)
    assert text_of(client.stream(stop="fake")) == "Hello from the "
    assert text_of(client.stream(stop=["backend", "the"])) == "Hello from "
    assert text_of(client.stream(stop=["nobody says this"])) == REPLY_TEXT
    choice = client.whole("Think", max_tokens=4)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello ", "length")


def test_it_says_what_it_sees(client: Client) -> None:
    urls = ["data:image/png;base64,AAAA", "data:image/jpeg;base64,AAAAAA=="]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    messages = [{"role": "user", "content": [{"type": "text", "text": "Look."}, *parts]}]
    seen = "I see image/png of 3 bytes and image/jpeg of 4 bytes."
    assert text_of(client.stream(messages=messages)) == seen


def test_everything_else_is_ordinary(client: Client) -> None:
    assert text_of(client.stream("echo: you")) == "you"
    body = {"model": "m", "input": ["a", "b"]}
    assert len(json.load(client.call("POST", "/v1/embeddings", body))["data"]) == 2
