"""POST /v1/responses: what a request becomes on its way to a backend."""

from typing import Any

import msgspec
import pytest

from backends.routing.snapshot import MappingRules, Target, Upstream
from backends.wire.dialects import DIALECTS
from gateway.errors import BadRequest
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.unit.ollama_api.responses_parts import (
    ASKED,
    CLOCK,
    PIXEL,
    function_call,
    function_output,
    message,
    parsed,
)

SEEN = {"type": "image_url", "image_url": {"url": PIXEL}}
PLAIN_RULE = MappingRules("m", ())
WEATHER = {"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object"}}


def sent(dialect: str = "generic", rule: MappingRules = PLAIN_RULE, **fields: Any) -> dict[str, Any]:
    target = Target(Upstream(1, "b", "http://b", DIALECTS[dialect]), "up")
    body = replay.build(responses.RESPONSES, parsed(**fields), target, rule)
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return decoded


def turns(*items: Any, **fields: Any) -> Any:
    return sent(input=[*items], **fields)["messages"]


def called(call_id: str, name: str = "weather") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": '{"a":1}'}}


def test_the_least_request() -> None:
    assert sent() == {"model": "up", "messages": [ASKED]}
    assert parsed().stream is False


def test_a_stream_asks_for_usage_where_that_is_known() -> None:
    assert sent(stream=True)["stream_options"] == {"include_usage": True}


def test_null_is_absent() -> None:
    fields = ("stream", "instructions", "tools", "metadata", "reasoning", "text", "include", "top_logprobs")
    nothing: dict[str, Any] = dict.fromkeys(fields)
    assert sent(**nothing) == sent()


def test_options_meet_the_mappings() -> None:
    rule = MappingRules("m", (), options={"temperature": 0.1, "seed": 7}, forced_options={"top_p": 0.5})
    asked = sent("openai", rule, temperature=0.9, top_p=1, max_output_tokens=9)
    assert {name: asked[name] for name in ("temperature", "seed", "top_p")} == {
        "temperature": 0.9,
        "seed": 7,
        "top_p": 0.5,
    }
    assert asked["max_completion_tokens"] == 9
    assert sent(rule=rule)["temperature"] == 0.1
    assert sent(max_output_tokens=9)["max_tokens"] == 9


@pytest.mark.parametrize(
    ("effort", "fields"),
    [
        ("none", {"reasoning_effort": "none"}),
        ("minimal", {"reasoning_effort": "low"}),
        ("low", {"reasoning_effort": "low"}),
        ("medium", {"reasoning_effort": "medium"}),
        ("xhigh", {"reasoning_effort": "high"}),
        (None, {}),
    ],
)
def test_effort_takes_the_dialects_words(effort: str | None, fields: dict[str, Any]) -> None:
    assert sent(dialect="openai", reasoning={"effort": effort, "summary": "auto"}) == sent() | fields


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
            {"name": "n", "schema": {"type": "object"}, "strict": True},
        ),
        (
            {"type": "json_schema", "schema": {}, "description": "d"},
            {"name": "response", "schema": {}, "description": "d"},
        ),
    ],
)
def test_the_form_of_the_text(wanted: dict[str, Any], fields: dict[str, Any] | None) -> None:
    is_schema = wanted["type"] == "json_schema"
    expected = {"type": "json_schema", "json_schema": fields} if is_schema else fields
    assert sent(text={"format": wanted, "verbosity": "low"}).get("response_format") == expected


def test_probabilities_are_asked_for() -> None:
    assert sent(top_logprobs=2) == sent() | {"logprobs": True, "top_logprobs": 2}
    assert sent(include=["message.output_text.logprobs"]) == sent() | {"logprobs": True}


def test_what_instructs_the_model_is_one_message_in_front() -> None:
    rule = MappingRules("m", (), system="rule", messages=({"role": "user", "content": "example"},))
    example = {"role": "user", "content": "example"}
    items = [message([{"type": "input_text", "text": "dev"}], "developer"), message("sys", "system"), ASKED]
    merged = {"role": "system", "content": "inst\n\ndev\n\nsys"}
    assert sent(rule=rule, input=items, instructions="inst")["messages"] == [merged, example, ASKED]
    assert sent(rule=rule)["messages"] == [{"role": "system", "content": "rule"}, example, ASKED]
    later = [ASKED, message("late", "developer")]
    own = {"role": "system", "content": "rule"}
    marked = {"role": "user", "content": f"{ASKED['content']}\n\n<system>\nlate\n</system>"}
    assert sent(rule=rule, input=later)["messages"] == [own, example, marked]


def test_parts_are_one_text_unless_there_are_images() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    image = {"type": "input_image", "image_url": PIXEL, "detail": "auto"}
    assert turns({"role": "user", "content": parts}) == [{"role": "user", "content": "ab"}]
    [shown] = turns(message([parts[0], image, parts[1]]))
    assert shown["content"] == [{"type": "text", "text": "a"}, SEEN, {"type": "text", "text": "b"}]


def test_an_image_may_leave_out_its_type_and_have_a_detail() -> None:
    bare = PIXEL.replace("image/png", "")
    [shown] = turns(message([{"type": "input_image", "image_url": bare, "detail": "low"}]))
    assert shown["content"] == [{"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]


def test_calls_and_text_in_a_row_are_one_turn() -> None:
    said = message([{"type": "output_text", "text": "wait", "annotations": []}], "assistant")
    asked = {"role": "assistant", "content": "wait", "tool_calls": [called("c1"), called("c2")]}
    results = [{"role": "tool", "tool_call_id": made, "content": "ok"} for made in ("c1", "c2")]
    history = [function_output("c1"), function_output("c2")]
    assert turns(ASKED, said, function_call("c1"), function_call("c2"), *history) == [ASKED, asked, *results]
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert turns(ASKED, function_call("c1"), thought, said, function_call("c2"), *history) == [
        ASKED,
        asked,
        *results,
    ]


def test_turns_of_calls_stay_apart() -> None:
    first, second = turns(
        ASKED, function_call("c1"), function_output("c1"), function_call("c2"), function_output("c2")
    )[1::2]
    assert [first["tool_calls"], second["tool_calls"]] == [[called("c1")], [called("c2")]]


def test_images_in_results_are_shown_behind_all_of_them() -> None:
    mixed = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": PIXEL}]
    answered = turns(
        function_call("c1"), function_call("c2"), function_output("c1", mixed), function_output("c2"), ASKED
    )[1:]
    shown = {
        "role": "user",
        "content": [{"type": "text", "text": "Image in tool result c1:"}, SEEN],
    }
    results = [("c1", "see"), ("c2", "ok")]
    tools = [{"role": "tool", "tool_call_id": made, "content": text} for made, text in results]
    assert answered == [*tools, shown, ASKED]
    assert turns(function_call("c1"), function_output("c1", mixed))[-1] == shown


def test_functions_are_nested() -> None:
    body = sent(tools=[WEATHER | {"strict": True}, CLOCK], parallel_tool_calls=False, tool_choice="required")
    none = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    weather = {"name": "weather", "description": "d", "parameters": none, "strict": True}
    clock = {"name": "clock", "parameters": {"type": "object", "properties": {}}}
    assert body["tools"] == [{"type": "function", "function": made} for made in (weather, clock)]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)


@pytest.mark.parametrize(
    ("choice", "names", "passed"),
    [
        ("none", ["weather", "clock"], "none"),
        (
            {"type": "function", "name": "clock"},
            ["weather", "clock"],
            {"type": "function", "function": {"name": "clock"}},
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "clock"}]},
            ["clock"],
            "required",
        ),
    ],
)
def test_a_choice_of_tools(choice: Any, names: list[str], passed: Any) -> None:
    body = sent(tools=[WEATHER, CLOCK], tool_choice=choice)
    assert ([tool["function"]["name"] for tool in body["tools"]], body["tool_choice"]) == (names, passed)


def test_a_choice_without_tools_is_not_sent() -> None:
    assert sent(tool_choice="auto", parallel_tool_calls=True) == sent()


def test_a_namespace_joins_the_names() -> None:
    group = {"type": "namespace", "name": "home", "description": "d", "tools": [CLOCK]}
    body = sent(
        tools=[group],
        tool_choice={"type": "function", "name": "clock", "namespace": "home"},
        input=[function_call("c1", "clock", namespace="home"), function_output("c1")],
    )
    assert body["tools"][0]["function"]["name"] == body["tool_choice"]["function"]["name"] == "home__clock"
    assert body["messages"][0]["tool_calls"] == [called("c1", "home__clock")]


def test_what_the_operator_says_of_a_model() -> None:
    rule = MappingRules("m", (), capabilities=("completion",))
    replay.check(responses.RESPONSES, parsed(), rule)
    with pytest.raises(BadRequest, match="does not support tools"):
        replay.check(responses.RESPONSES, parsed(tools=[CLOCK]), rule)
    with pytest.raises(BadRequest, match='"m" does not support thinking'):
        replay.check(responses.RESPONSES, parsed(reasoning={"effort": "low"}), rule)
