"""/v1/messages: what its requests mean, and which are refused."""

import json
from typing import Any

import pytest

from gateway.errors import BadRequest
from gateway.token_estimate import estimate_input
from ollama_api.anthropic import api as anthropic
from ollama_api.anthropic import request as anthropic_request
from ollama_api.json_encoding import to_json
from tests.golden import replay

PNG = "iVBORw0KGgo="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
SCHEMA = {"type": "object", "properties": {"x": {"type": ["string", "null"], "default": None}}}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def body(**fields: Any) -> bytes:
    usual: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps({**usual, **fields}).encode()


def upstream(
    dialect: str = "generic", mapping: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    call = anthropic_request.parse(body(**fields))
    found = replay.build(anthropic.MESSAGES, call, replay.target(dialect), replay.rule(**(mapping or {})))
    decoded: dict[str, Any] = json.loads(to_json(found))
    return decoded


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def refusal(sent: bytes, **how: bool) -> str:
    with pytest.raises(BadRequest) as refused:
        anthropic_request.parse(sent, **how)
    assert refused.value.status == 400
    return refused.value.message


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b"xx", "invalid character 'x' looking for beginning of value"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b"[]", "json: cannot unmarshal array into Go value of type anthropic.MessagesRequest"),
        (b"null", "model is required"),
        (b"{}", "model is required"),
        (body(model="", max_tokens=0), "model is required"),
        (body(model=None), "model is required"),
        (body(max_tokens=None, messages=[]), "max_tokens is required and must be positive"),
        (body(max_tokens=0), "max_tokens is required and must be positive"),
        (body(max_tokens=-1), "max_tokens is required and must be positive"),
        (body(messages=[]), "messages is required"),
        (body(messages=None), "messages is required"),
        (body(messages=[user({"type": "hologram"})]), "messages is required"),
        (b"[" * 100_000, "exceeded max depth"),
        (b'{"tools":[{"input_schema":' + b"[" * 100_000, "exceeded max depth"),
    ],
)
def test_checks_come_in_ollamas_order(sent: bytes, message: str) -> None:
    assert refusal(sent) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": 5}, "number into Go struct field MessagesRequest.model of type string"),
        ({"stream": "yes"}, "string into Go struct field MessagesRequest.stream of type bool"),
        ({"max_tokens": 1.5}, "number into Go struct field MessagesRequest.max_tokens of type int"),
        ({"temperature": "hot"}, "string into Go struct field MessagesRequest.temperature of type float64"),
        (
            {"stop_sequences": "x"},
            "string into Go struct field MessagesRequest.stop_sequences of type []string",
        ),
        (
            {"messages": {}},
            "object into Go struct field MessagesRequest.messages of type []anthropic.MessageParam",
        ),
        (
            {"messages": ["x"]},
            "string into Go struct field MessagesRequest.messages of type anthropic.MessageParam",
        ),
        (
            {"messages": [user({"text": 5})]},
            "number into Go struct field MessagesRequest.messages.content.text of type string",
        ),
        (
            {"messages": [{"role": "user", "content": [5]}]},
            "number into Go struct field MessagesRequest.messages.content of type anthropic.ContentBlock",
        ),
        ({"tools": {}}, "object into Go struct field MessagesRequest.tools of type []anthropic.Tool"),
        (
            {"thinking": True},
            "bool into Go struct field MessagesRequest.thinking of type anthropic.ThinkingConfig",
        ),
    ],
)
def test_wrong_types_are_named_as_go_names_them(fields: dict[str, Any], message: str) -> None:
    assert refusal(body(**fields)) == f"json: cannot unmarshal {message}"


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ({"name": "x", "input_schema": "{}"}, 'invalid input_schema for tool "x": it must be a JSON object'),
        (
            {"type": "web_search_20250305", "name": "web_search"},
            "tool type web_search_20250305 is not supported: this server runs no tools itself",
        ),
    ],
)
def test_tools_that_cannot_be_offered_are_refused(tool: dict[str, Any], message: str) -> None:
    assert refusal(body(tools=[tool])) == message


def test_a_plain_request_says_no_more_than_was_said() -> None:
    assert upstream(metadata={"user_id": "u"}, service_tier="auto", stream=False) == {
        "model": replay.BACKEND_MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
    }
    call = anthropic_request.parse(body())
    assert (call.model, call.stream, call.options, call.keep_alive) == ("m", False, {"num_predict": 9}, None)


def test_a_stream_asks_for_its_usage() -> None:
    found = upstream(stream=True)
    assert (found["stream"], found["stream_options"]) == (True, {"include_usage": True})


def test_nulls_are_absent_and_garbage_behind_the_body_is_ignored() -> None:
    names = ["system", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice"]
    nulls: dict[str, Any] = dict.fromkeys([*names, "thinking", "output_config", "metadata"])
    assert upstream(**nulls) == upstream()
    assert anthropic_request.parse(body() + b" garbage") == anthropic_request.parse(body())


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("generic", {"max_tokens": 5}),
        ("openai", {"max_completion_tokens": 5}),
        ("vllm", {"max_tokens": 5, "top_k": 40}),
    ],
)
def test_sampling_goes_by_the_dialects_names(dialect: str, expected: dict[str, Any]) -> None:
    sampling: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "stop_sequences": ["END", None, ""],
    }
    found = upstream(dialect, max_tokens=5, **sampling)
    assert {name: value for name, value in found.items() if name not in ("model", "messages")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        **expected,
    }


def test_the_mappings_options_hold() -> None:
    mapping = {"options": {"temperature": 0.1, "seed": 1}, "forced_options": {"num_predict": 2}}
    found = upstream(mapping=mapping, temperature=0.7, max_tokens=50)
    assert (found["temperature"], found["seed"], found["max_tokens"]) == (0.7, 1, 2)


@pytest.mark.parametrize(
    ("fields", "system"),
    [
        ({"system": "Be kind."}, "Be kind."),
        (
            {"system": [said("Be kind."), {"type": "x"}, 5, said(""), said("Be brief.")]},
            "Be kind.\nBe brief.",
        ),
        ({}, "Of the mapping."),
        ({"system": ""}, "Of the mapping."),
        ({"system": []}, "Of the mapping."),
        ({"system": 5}, "Of the mapping."),
        ({"messages": [{"role": "System", "content": "Mine."}, user(said("hi"))]}, "Mine."),
    ],
)
def test_the_clients_system_prompt_replaces_the_mappings(fields: dict[str, Any], system: str) -> None:
    first, second = upstream(mapping={"system": "Of the mapping."}, **fields)["messages"]
    assert (first, second) == ({"role": "system", "content": system}, {"role": "user", "content": "hi"})


@pytest.mark.parametrize(
    ("tool", "function"),
    [
        ({"name": "f", "input_schema": SCHEMA}, {"name": "f", "parameters": SCHEMA}),
        (
            {"type": "custom", "name": "f", "description": "d", "input_schema": SCHEMA, "cache_control": {}},
            {"name": "f", "description": "d", "parameters": SCHEMA},
        ),
        ({"name": "f"}, {"name": "f", "parameters": {"type": "object", "properties": {}}}),
        (
            {"type": "bash_20250124", "name": "bash"},
            {"name": "bash", "parameters": {"type": "object", "properties": {}}},
        ),
    ],
)
def test_tools_keep_their_schema(tool: dict[str, Any], function: dict[str, Any]) -> None:
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    assert upstream(tools=[search, tool])["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("choice", "fields"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        (
            {"type": "tool", "name": "f"},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
        ({"type": "auto", "disable_parallel_tool_use": False}, {"tool_choice": "auto"}),
        ({"type": "tool"}, {}),
        ({"type": "odd"}, {}),
        ({}, {}),
    ],
)
def test_tool_choice(choice: dict[str, Any], fields: dict[str, Any]) -> None:
    with_tools = upstream(tools=[{"name": "f"}], tool_choice=choice)
    names = ("tool_choice", "parallel_tool_calls")
    assert {name: with_tools[name] for name in names if name in with_tools} == fields
    assert upstream(tool_choice=choice) == upstream()


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "medium"),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low"),
        ({"thinking": {"type": "enabled"}, "output_config": {"effort": "max"}}, "high"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "none"),
        ({"output_config": {"effort": " HIGH "}}, "high"),
        ({"output_config": {"effort": "xhigh"}}, "high"),
        ({"output_config": {"effort": "minimal"}}, "low"),
        ({"output_config": {"effort": "future"}}, None),
        ({"output_config": {"effort": None}}, None),
    ],
)
def test_thinking_and_effort(fields: dict[str, Any], effort: str | None) -> None:
    assert upstream("openai", **fields).get("reasoning_effort") == effort
    cannot_think = upstream("openai", {"capabilities": ("completion",)}, **fields)
    assert "reasoning_effort" not in cannot_think


def test_a_schema_for_the_answer_reaches_the_backend() -> None:
    wanted = {"type": "json_schema", "schema": SCHEMA}
    assert upstream(output_config={"format": wanted})["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": SCHEMA},
    }
    assert "response_format" not in upstream(output_config={"format": {"type": "odd"}})


@pytest.mark.parametrize(
    ("capabilities", "fields", "message"),
    [
        (("embedding",), {}, '"m" does not support chat'),
        (
            ("completion",),
            {"tools": [{"name": "f"}]},
            "registry.ollama.ai/library/m:latest does not support tools",
        ),
    ],
)
def test_the_operators_word_on_capabilities_holds(
    capabilities: tuple[str, ...], fields: dict[str, Any], message: str
) -> None:
    call = anthropic_request.parse(body(**fields))
    with pytest.raises(BadRequest) as refused:
        replay.check(anthropic.MESSAGES, call, replay.rule(capabilities=capabilities))
    assert refused.value.message == message
    replay.check(anthropic.MESSAGES, call, replay.rule())
    replay.check(anthropic.MESSAGES, call, replay.rule(capabilities=("completion", "tools")))


def estimated(body: bytes) -> int:
    call = anthropic_request.parse(body, counting=True)
    return estimate_input(anthropic.to_operation(call))


def test_tokens_are_estimated_from_text_alone() -> None:
    words = "word " * 400
    plain = json.dumps({"model": "m", "messages": [{"role": "user", "content": words}]}).encode()
    pictured = json.dumps({"model": "m", "messages": [user(said(words), {**IMAGE})]}).encode()
    assert 500 <= estimated(plain) < 520
    assert estimated(plain) <= estimated(pictured) < 530
    assert estimated(body(tools=[{"name": "f", "description": words}])) > 500
    assert estimated(b'{"model":"m","messages":[{"content":"a"}]}') >= 1
    assert refusal(b"{}", counting=True) == "model is required"
    assert refusal(b'{"model":"m"}', counting=True) == "messages is required"
