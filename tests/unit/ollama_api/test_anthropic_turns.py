"""/v1/messages: how turns and their blocks become OpenAI's messages."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.errors import BadRequest
from ollama_api.anthropic import api as anthropic
from ollama_api.anthropic import request as anthropic_request
from ollama_api.anthropic.types import MessagesRequest
from ollama_api.json_encoding import to_json
from tests.golden import replay
from tests.unit.ollama_api.bodies import ANY, BODIES, TEXT, some

PNG = "iVBORw0KGgo="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
PNG_PART = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def body(messages: list[dict[str, Any]]) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()


def turns(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return anthropic_request.parse(body(list(messages))).turns


def with_blocks(blocks: bytes) -> MessagesRequest:
    return anthropic_request.parse(
        body([]).replace(b"[]", b'[{"role":"assistant","content":' + blocks + b"}]")
    )


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            "invalid image source type: url. Only base64 images are supported.",
        ),
        ({"type": "image"}, "invalid image source"),
        ({"type": "image", "source": None}, "invalid image source"),
        ({"type": "image", "source": "x"}, "invalid image source"),
        (
            {"type": "image", "source": {"type": "base64", "data": "iVB-"}},
            "invalid base64 image data: illegal base64 data at input byte 3",
        ),
        (
            {"type": "image", "source": {"type": "base64", "data": "iVBOR"}},
            "invalid base64 image data: illegal base64 data at input byte 4",
        ),
        (
            {"type": "tool_result", "tool_use_id": "x", "content": [{"type": "image"}]},
            "invalid tool_result image source",
        ),
        ({"type": "tool_use", "name": "f"}, "tool_use block missing required 'id' field"),
        ({"type": "tool_use", "id": "x", "name": ""}, "tool_use block missing required 'name' field"),
        ({**USE, "input": "{}"}, "Value looks like object, but can't find closing '}' symbol"),
        ({"type": "document"}, "invalid document source"),
    ],
)
def test_blocks_that_break_their_promise_are_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        turns(user(block))
    assert (refused.value.status, refused.value.message) == (400, message)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user(said("a"), said(""), said("b"))], [{"role": "user", "content": "a\nb"}]),
        (
            [user(said("a"), IMAGE, said("b"))],
            [{"role": "user", "content": [said("a"), PNG_PART, said("b")]}],
        ),
        ([user(said("hi")), {"role": "assistant", "content": None}], [{"role": "user", "content": "hi"}]),
        (
            [{"role": "assistant", "content": [{"type": "thinking", "thinking": "t"}, said("a"), said("b")]}],
            [{"role": "assistant", "content": "ab"}],
        ),
        (
            [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, USE]}],
            [CALLED],
        ),
        (
            [
                {"role": "assistant", "content": [said("so"), USE]},
                user(said("and"), {"type": "tool_result", "tool_use_id": "t1", "content": "done"}),
            ],
            [
                {"role": "assistant", "content": "so", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "t1", "content": "done"},
                {"role": "user", "content": "and"},
            ],
        ),
    ],
)
def test_turns(messages: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert turns(*messages) == expected


@pytest.mark.parametrize(
    ("result", "shown", "after"),
    [
        ({}, "", []),
        ({"content": "x"}, "x", []),
        ({"content": None, "is_error": True}, "Error: ", []),
        ({"content": {"odd": 1}}, "", []),
        ({"content": [said("a"), {"type": "tool_reference"}, None, said("b")]}, "a\nb", []),
        ({"content": [said("no")], "is_error": True}, "Error: no", []),
        ({"content": [said("a"), IMAGE]}, "a", [said("Image in tool result t1:"), PNG_PART]),
    ],
)
def test_a_tool_result_is_text_and_its_images_follow(
    result: dict[str, Any], shown: str, after: list[dict[str, Any]]
) -> None:
    call, answer, *rest = turns(
        {"role": "assistant", "content": [USE]}, user({"type": "tool_result", "tool_use_id": "t1", **result})
    )
    assert (call, answer) == (CALLED, {"role": "tool", "tool_call_id": "t1", "content": shown})
    assert rest == ([{"role": "user", "content": after}] if after else [])


def test_a_result_that_answers_no_open_call_is_told_as_text() -> None:
    late = {"type": "tool_result", "tool_use_id": "t1", "content": "done"}
    told = {"role": "user", "content": "Tool result: done"}
    assert turns(user(late)) == [told]
    assert turns({"role": "assistant", "content": [USE]}, user(late), user(late))[2:] == [told]
    assert turns({"role": "assistant", "content": [USE]}, user(said("wait")), user(late))[2:] == [told]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "web_search_result", "title": "T", "url": "U"}], "- T: U\n"),
        ({"type": "web_search_tool_result_error", "error_code": "e"}, "web_search_tool_result_error: e"),
        ({"type": "web_search_tool_result_error"}, "web_search_tool_result_error"),
        ({"stdout": "1"}, '{"stdout":"1"}'),
        ("x", "x"),
        (None, ""),
    ],
)
def test_what_a_server_found_stays_in_its_place(content: Any, text: str) -> None:
    found = {"type": "web_search_tool_result", "tool_use_id": "t1", "content": content}
    assert turns(
        {"role": "assistant", "content": [said("a"), {**USE, "type": "server_tool_use"}, found, said("b")]}
    ) == [
        {"role": "assistant", "content": "a", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "t1", "content": text},
        {"role": "assistant", "content": "b"},
    ]


def test_arguments_keep_their_order_and_their_long_numbers() -> None:
    sent = (
        b'[{"type":"tool_use","id":"t1","name":"f","input":{ "z" : 1,\n"a":123456789012345678901234567890}}]'
    )
    call = with_blocks(sent)
    assert (
        call.turns[0]["tool_calls"][0]["function"]["arguments"]
        == '{"z":1,"a":123456789012345678901234567890}'
    )


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ({"data": PNG}, f"data:image/png;base64,{PNG}"),
        ({"data": "iVBORw\n0KGgo="}, f"data:image/png;base64,{PNG}"),
        ({"data": PNG, "media_type": "image/webp"}, f"data:image/webp;base64,{PNG}"),
        ({"data": PNG, "media_type": "text/html,x"}, f"data:image/png;base64,{PNG}"),
    ],
)
def test_images_become_data_urls(source: dict[str, Any], url: str) -> None:
    block = {"type": "image", "source": {"type": "base64", **source}}
    assert turns(user(block)) == [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    ]


def test_what_is_no_utf8_reaches_the_backend_as_utf8() -> None:
    use = b'{"type":"tool_use","id":"t1","name":"f","input":{"a":"\\udc00"}}'
    result = b'{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"\\ud800b"}]}'
    call = with_blocks(b'[{"type":"text","text":"\xff"},' + use + b"," + result + b"]")
    assert (call.turns[0]["content"], call.turns[0]["tool_calls"][0]["function"]["arguments"]) == (
        "\ufffd",
        '{"a":"\ufffd"}',
    )
    assert call.turns[1]["content"] == "Tool result: \ufffdb"


SOME_BLOCKS = st.recursive(
    some(
        type=st.sampled_from(["text", "image", "document", "search_result", "thinking", "tool_use", "odd"]),
        text=TEXT | st.none(),
        id=TEXT,
        name=TEXT,
        input=ANY,
        source=ANY | st.just(IMAGE["source"]),
    ),
    lambda inner: some(
        type=st.sampled_from(["tool_result", "web_search_tool_result", "document", "search_result"]),
        tool_use_id=TEXT,
        is_error=st.booleans(),
        content=ANY | st.lists(inner, max_size=3),
        source=some(
            type=st.sampled_from(["content", "text"]), content=st.lists(inner, max_size=2), data=TEXT
        ),
    ),
    max_leaves=6,
)
SOME_TURNS = some(
    role=st.sampled_from(["user", "assistant"]), content=TEXT | st.lists(SOME_BLOCKS, max_size=4)
)
SOME_REQUESTS = st.fixed_dictionaries(
    {
        "model": TEXT.filter(bool),
        "max_tokens": st.integers(1, 9),
        "messages": st.lists(SOME_TURNS, max_size=4),
    },
    optional={
        "system": ANY,
        "tools": st.lists(some(type=TEXT, name=TEXT, input_schema=ANY), max_size=2),
        "tool_choice": some(type=st.sampled_from(["auto", "any", "tool", "none"]), name=TEXT),
        "temperature": st.floats(0, 1),
        "output_config": some(effort=TEXT, format=some(type=st.just("json_schema"), schema=ANY)),
    },
)


@given(
    BODIES | SOME_REQUESTS.map(lambda request: json.dumps(request).encode()), st.sampled_from(list(DIALECTS))
)
def test_any_body_is_translated_or_refused(sent: bytes, dialect: str) -> None:
    try:
        call = anthropic_request.parse(sent)
        found = replay.build(anthropic.MESSAGES, call, replay.target(dialect), replay.rule(system="s"))
    except BadRequest as refused:
        assert refused.message
        return
    decoded = msgspec.json.decode(to_json(found))
    assert decoded["messages"][0]["role"]
    open_calls: set[str] = set()
    for message in decoded["messages"]:
        if message["role"] == "tool":
            assert message["tool_call_id"] in open_calls
        else:
            open_calls = {made["id"] for made in message.get("tool_calls", ())}


def test_results_of_one_message_may_come_in_several_turns() -> None:
    calls: list[dict[str, Any]] = [
        {"type": "tool_use", "id": one, "name": "f", "input": {}} for one in ("t1", "t2")
    ]
    shot = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    first = {"type": "tool_result", "tool_use_id": "t1", "content": [said("1"), shot]}
    second = {"type": "tool_result", "tool_use_id": "t2", "content": "2"}
    conversation = [
        {"role": "assistant", "content": calls},
        user(first),
        user(second, said("go on")),
        user(said("?")),
    ]
    _, *results, shown, more = turns(*conversation)
    assert [(turn["role"], turn["content"]) for turn in results] == [("tool", "1"), ("tool", "2")]
    assert [part["type"] for part in shown["content"]] == ["text", "image_url", "text"]
    assert more == {"role": "user", "content": "?"}


def test_a_result_may_name_tools() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "ToolSearch", "input": {}}
    found = [{"type": "tool_reference", "tool_name": name} for name in ("a", "b")]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": found}
    *_, told = turns({"role": "assistant", "content": [call]}, user(result))
    assert told == {"role": "tool", "tool_call_id": "t1", "content": "a\nb"}


def test_thinking_belongs_to_the_calls_of_its_turn() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    (turn,) = parsed_turns([thought, {"type": "text", "text": "a"}, thought, use])
    assert turn["reasoning_content"] == "hmhm"
    (turn,) = parsed_turns([thought], [use])
    assert "reasoning_content" not in turn


def parsed_turns(*contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return anthropic_request.parse(
        body([{"role": "assistant", "content": blocks} for blocks in contents])
    ).turns
