"""POST /v1/responses: the tools of agents that are no functions, in the way that Codex sends them."""

from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, Target, Upstream
from backends.wire.dialects import DIALECTS
from gateway.diagnostics import Diagnostics
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.unit.ollama_api.responses_parts import (
    ASKED,
    CLOCK,
    NOW_NS,
    TIMINGS,
    ask,
    call,
    end,
    events_in,
    function_output,
    parsed,
    streamed,
    whole,
)

PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch"'},
}
SEARCH = {"type": "web_search", "external_web_access": False}
PATCHES = {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": 'a "b"\n'}
TARGET = Target(Upstream(1, "b", "http://b", DIALECTS["generic"]), "up")


def sent(diagnostics: Diagnostics | None = None, **fields: Any) -> dict[str, Any]:
    body = replay.build(responses.RESPONSES, parsed(**fields), TARGET, MappingRules("m", ()), diagnostics)
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return decoded


def names(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in body["tools"]]


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    (tool,) = sent(tools=[PATCH])["tools"]
    function = tool["function"]
    assert (tool["type"], function["name"]) == ("function", "apply_patch")
    assert function["parameters"]["required"] == ["input"]
    assert function["description"].startswith("Edits files.\n\n`input` has to fit this grammar (lark):")
    assert function["description"].endswith(PATCH["format"]["definition"])


def test_a_custom_tool_can_be_chosen() -> None:
    choice = {"type": "custom", "name": "apply_patch"}
    assert sent(tools=[CLOCK, PATCH], tool_choice=choice)["tool_choice"] == {
        "type": "function",
        "function": {"name": "apply_patch"},
    }
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [choice]}
    assert names(sent(tools=[CLOCK, PATCH], tool_choice=allowed)) == ["apply_patch"]


def test_calls_of_custom_tools_go_back_as_they_came() -> None:
    output = {**function_output("c", "Done."), "type": "custom_tool_call_output"}
    _, turn, result = sent(input=[ASKED, PATCHES, output], tools=[PATCH])["messages"]
    (made,) = turn["tool_calls"]
    assert made["function"] == {"name": "apply_patch", "arguments": r'{"input":"a \"b\"\n"}'}
    assert result == {"role": "tool", "tool_call_id": "c", "content": "Done."}


def test_a_custom_tool_is_called_with_a_text() -> None:
    answer = [call(0, r'{"input": "a \"b\"\n"}', "apply_patch"), end("tool_calls")]
    response, _ = replay.encode_measured(
        responses.RESPONSES, ask(tools=[PATCH]), whole(*answer), TIMINGS, NOW_NS
    )
    (item,) = msgspec.to_builtins(response.output)
    assert item == {**PATCHES, "call_id": "call_0", "id": item["id"], "status": "completed"}
    told = events_in(streamed(*answer, tools=[PATCH]))[2:-1]
    assert [event.type for event in told] == [
        "response.output_item.added",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.output_item.done",
    ]
    assert [told[0].item.input, told[1].delta, told[2].input, told[3].item.input] == ["", *['a "b"\n'] * 3]


def test_other_arguments_of_a_custom_tool_are_shown_as_they_are() -> None:
    answer = [call(0, '{"patch":"x"}', "apply_patch"), end("tool_calls")]
    response, _ = replay.encode_measured(
        responses.RESPONSES, ask(tools=[PATCH]), whole(*answer), TIMINGS, NOW_NS
    )
    assert msgspec.to_builtins(response.output)[0]["input"] == '{"patch":"x"}'


def test_a_custom_tool_may_stand_in_a_namespace() -> None:
    group = {"type": "namespace", "name": "functions", "tools": [PATCH]}
    answer = [call(0, '{"input":"x"}', "functions__apply_patch"), end("tool_calls")]
    response, _ = replay.encode_measured(
        responses.RESPONSES, ask(tools=[group]), whole(*answer), TIMINGS, NOW_NS
    )
    item = msgspec.to_builtins(response.output)[0]
    assert (item["type"], item["namespace"], item["name"]) == ("custom_tool_call", "functions", "apply_patch")


def test_what_agents_offer_beside_their_own_tools_is_left_out() -> None:
    diagnostics = Diagnostics()
    body = sent(diagnostics, tools=[SEARCH, CLOCK, {"type": "image_generation"}], tool_choice="auto")
    assert names(body) == ["clock"]
    assert [note.field for note in diagnostics.taken if note.verdict == "dropped"] == ["tools[0]", "tools[2]"]


def test_what_a_search_found_before_is_left_out() -> None:
    found = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}}
    assert sent(input=[ASKED, found])["messages"] == [ASKED]


def test_tools_among_the_items_are_tools() -> None:
    more = {"type": "additional_tools", "role": "developer", "tools": [PATCH]}
    body = sent(input=[more, ASKED], tools=[CLOCK])
    assert (names(body), body["messages"]) == (["clock", "apply_patch"], [ASKED])


def test_a_schema_needs_no_name() -> None:
    form = {"type": "json_schema", "name": None, "schema": {"type": "object"}}
    assert sent(text={"format": form})["response_format"]["json_schema"]["name"] == "response"
