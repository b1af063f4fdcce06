"""POST /v1/responses: what is refused, and in which words; and whatever else may come."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.routing.snapshot import MappingRules, Target, Upstream
from backends.wire.dialects import DIALECTS
from gateway.errors import BadRequest
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.unit.ollama_api.bodies import ANY
from tests.unit.ollama_api.responses_parts import (
    ASKED,
    CLOCK,
    PIXEL,
    function_call,
    function_output,
    message,
    parsed,
)

TARGET = Target(Upstream(1, "b", "http://b", DIALECTS["generic"]), "up")

KEEPS = "this server keeps no responses"
FILE = {"type": "input_file", "file_id": "f"}
NO_FILES = "file inputs are not currently supported"
FUNCTIONS = "this server runs no tools of its own, and passes on functions and custom tools only"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"model": ""}, "model is required"),
        ({"model": None}, "model is required"),
        ({"model": 5}, 'model: expected "str", got "int"'),
        ({"input": None}, "input is required"),
        ({"input": []}, "input is required"),
        ({"input": 5}, "input must be a string or array"),
        ({"max_output_tokens": 0}, 'max_output_tokens: expected "int" >= 1'),
        ({"tools": [5]}, 'tools[0]: expected "object", got "int"'),
        (
            {"previous_response_id": "resp_1"},
            f"previous_response_id is not supported: {KEEPS}: send the whole conversation as input",
        ),
        (
            {"conversation": {"id": "conv_1"}},
            f"conversation is not supported: {KEEPS} and no conversations: "
            "send the whole conversation as input",
        ),
        (
            {"background": True},
            f"background is not supported: {KEEPS}: ask with stream instead, and read the answer as it comes",
        ),
        (
            {"reasoning": {"effort": "huge"}},
            'invalid reasoning value: "huge" (must be one of "none", "minimal", "low", "medium", "high", '
            '"xhigh", "max", "ultra")',
        ),
        ({"text": {"format": {"type": "xml"}}}, 'text.format: unknown type "xml"'),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format: schema is required"),
        ({"tools": [{"type": "function"}]}, "tools[0]: name is required"),
        (
            {"tools": [{"type": "web_search"}]},
            f'tools[0]: tools of type "web_search" are not supported: {FUNCTIONS}',
        ),
        (
            {"tools": [CLOCK, {"type": "file_search"}]},
            f'tools[1]: tools of type "file_search" are not supported: {FUNCTIONS}',
        ),
        (
            {"tools": [CLOCK, {"type": "web_search"}], "tool_choice": {"type": "web_search"}},
            'tool_choice: choosing by type "web_search" is not supported by this server',
        ),
        (
            {"input": [ASKED, {"type": "additional_tools", "tools": [5]}]},
            "input[1].tools must be an array of objects",
        ),
        (
            {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": 5}]},
            "input[0]: input must be a string",
        ),
        (
            {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}]},
            f'tools[0].tools[0]: tools of type "mcp" are not supported: {FUNCTIONS}',
        ),
        ({"tool_choice": "maybe"}, 'tool_choice: "maybe" is none of "none", "auto" and "required"'),
        ({"tool_choice": "required"}, 'tool_choice: "required" needs tools'),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            'tool_choice: there is no function "f" in tools',
        ),
        (
            {"tool_choice": {"type": "file_search"}},
            'tool_choice: choosing by type "file_search" is not supported by this server',
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "tools": [{"type": "mcp"}]}},
            'tool_choice: tools of type "mcp" are not supported by this server',
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "none", "tools": [CLOCK]}},
            'tool_choice: mode must be "auto" or "required"',
        ),
        ({"input": [5]}, "input[0]: an input item must be an object"),
        ({"input": [{}]}, "input[0]: input item missing required 'type' field"),
        ({"input": [{"type": "bogus"}]}, 'input[0]: unknown input item type: "bogus"'),
        (
            {"input": [{"type": "item_reference", "id": "i"}]},
            f"input[0]: {KEEPS}, so there is nothing to refer to: send the item itself",
        ),
        (
            {"input": [ASKED, {"type": "file_search_call"}]},
            f"input[1]: file_search_call is not supported: {FUNCTIONS}",
        ),
        ({"input": [message("x", "robot")]}, 'input[0]: unknown role: "robot"'),
        ({"input": [message(5)]}, "input[0]: content must be a string or array"),
        ({"input": [message(["x"])]}, "input[0]: content[0]: a content part must be an object"),
        ({"input": [message([{"type": "smell"}])]}, "input[0]: content[0]: unknown content type: smell"),
        (
            {"input": [message([{"type": "input_text"}])]},
            "input[0]: content[0]: input_text requires text",
        ),
        ({"input": [message([FILE])]}, NO_FILES),
        ({"input": [message([{"type": "input_image", "file_id": "f"}])]}, NO_FILES),
        ({"input": [message([{"type": "input_image", "image_url": "x"}])]}, "invalid image input"),
        ({"input": [message([{"type": "input_image", "image_url": {"url": "x"}}])]}, "invalid image input"),
        (
            {"input": [message([{"type": "input_image", "image_url": "HTTPS://host/a.png"}])]},
            "image URLs are not currently supported, please use base64 encoded data instead",
        ),
        (
            {"input": [message([{"type": "input_image", "image_url": PIXEL}], "system")]},
            'input[0]: a message with the role "system" can hold text only',
        ),
        ({"input": [function_call("")]}, "input[0]: function_call requires call_id"),
        ({"input": [function_call("c", arguments={"a": 1})]}, "input[0]: arguments must be a string"),
        (
            {"input": [function_call("c"), function_output("c", {})]},
            "input[1]: output must be a string or array",
        ),
        (
            {"input": [function_output("c9")]},
            'input[0]: no function_call with call_id "c9" comes before its function_call_output',
        ),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parsed(**fields)
    assert refused.value.message == sentence


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"model":"m","input":"\xff"}garbage', b"5"])
def test_odd_bodies(body: bytes) -> None:
    if b"input" in body:
        assert responses.parse(body).input == [{"role": "user", "content": "�"}]
    else:
        with pytest.raises(BadRequest):
            responses.parse(body)


def test_a_lone_surrogate_is_replaced_wherever_it_stands() -> None:
    body = b'{"model":"m","input":[{"role":"user","content":"\\ud800"}],"metadata":{"a":"\\udc00"}}'
    assert responses.parse(body).input[0]["content"] == "�"


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(BadRequest):
        responses.parse(b'{"model":"m","input":' + b"[" * 60_000 + b"]" * 60_000 + b"}")


NAMES = ["type", "role", "content", "call_id", "name", "arguments", "output", "image_url", "input", "summary"]
WORDS = ["message", "function_call", "custom_tool_call", "reasoning", "additional_tools", "user", "x"]
ODD = ANY | st.sampled_from([*WORDS, "input_image", "custom", "namespace"]) | st.none()
ITEMS = st.dictionaries(
    st.sampled_from(NAMES),
    ODD | st.lists(st.dictionaries(st.sampled_from(["type", "text", "image_url"]), ODD, max_size=3)),
    max_size=5,
)
REQUESTS = st.fixed_dictionaries(
    {"model": st.just("m"), "input": st.just("hi") | st.lists(ITEMS, max_size=3)},
    optional={
        "tools": st.lists(
            st.just(CLOCK) | st.dictionaries(st.sampled_from(["type", "name", "tools", "format"]), ODD)
        ),
        "tool_choice": ODD | st.dictionaries(st.sampled_from(["type", "name", "tools", "mode"]), ODD),
        "text": ODD | st.dictionaries(st.just("format"), ODD),
        "reasoning": ODD,
        "metadata": ODD,
    },
)


@given(REQUESTS)
def test_whatever_comes_is_translated_or_refused(request: dict[str, Any]) -> None:
    try:
        call = responses.parse(json.dumps(request).encode())
    except BadRequest as refused:
        assert refused.message
    else:
        assert json.dumps(replay.build(responses.RESPONSES, call, TARGET, MappingRules("m", ())))
