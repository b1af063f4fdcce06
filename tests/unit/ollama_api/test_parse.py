"""From bytes to requests: what is checked, and in whose words it is refused."""

import base64
import json
import math
import time
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.durations import keep_alive_s
from gateway.errors import BadRequest
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.generate import API as GENERATE
from ollama_api.ollama.types import ChatRequest
from tests.golden import replay
from tests.unit.ollama_api.bodies import BODIES, VALID, written


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def refusal(read: Any, **fields: Any) -> str:
    """The message, which is the same on both paths: an unknown field takes a body down the slow one."""
    told = set()
    for request in (body(**fields), body(**fields, unknown=1)):
        with pytest.raises(BadRequest) as refused:
            read(request)
        assert refused.value.status == 400
        told.add(refused.value.message)
    [message] = told
    return message


THINK = '(must be "high", "medium", "low", "max", true, or false)'


@pytest.mark.parametrize("read", [parse.chat, parse.generate])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"think": "none"}, f'invalid think value: "none" {THINK}'),
        ({"think": ""}, f'invalid think value: "" {THINK}'),
        ({"think": 'a"b'}, f'invalid think value: "a\\"b" {THINK}'),
        ({"think": 1}, 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'),
        ({"think": []}, 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'),
        ({"top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
        ({"top_logprobs": -1}, "top_logprobs must be between 0 and 20"),
        ({"keep_alive": "5"}, 'time: missing unit in duration "5"'),
        ({"keep_alive": "1d"}, 'time: unknown unit "d" in duration "1d"'),
        ({"keep_alive": ""}, 'time: invalid duration ""'),
        ({"keep_alive": True}, "Unsupported type: 'bool'"),
        ({"keep_alive": {}}, "Unsupported type: 'map[string]interface {}'"),
        ({"keep_alive": []}, "Unsupported type: '[]interface {}'"),
        (
            {"_debug_render_only": True},
            "_debug_render_only is not supported: this server has no template to show",
        ),
    ],
)
def test_what_chat_and_generate_refuse(read: Any, fields: dict[str, Any], message: str) -> None:
    assert refusal(read, model="m", **fields) == message


TOOL_FIELD = "json: cannot unmarshal {} into Go struct field ToolFunction.tools.function.{} of type {}"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "clock",
            "json: cannot unmarshal string into Go struct field ChatRequest.tools.function "
            "of type api.ToolFunction",
        ),
        ({"name": 5}, TOOL_FIELD.format("number", "name", "string")),
        ({"name": "clock", "description": []}, TOOL_FIELD.format("array", "description", "string")),
        (
            {"name": "clock", "parameters": "x"},
            TOOL_FIELD.format("string", "parameters", "api.ToolFunctionParameters"),
        ),
    ],
)
def test_what_can_be_no_tool(function: Any, message: str) -> None:
    tools = [{"type": "function", "function": function}]
    assert refusal(parse.chat, model="m", tools=tools) == message


def test_a_tool_is_read_no_further() -> None:
    tools = [
        None,
        {},
        {"function": None},
        {"type": 5, "function": {"name": None, "own": 1, "parameters": {"type": []}}},
    ]
    assert parse.chat(body(model="m", tools=tools)).tools == [{}, *tools[1:]]


@pytest.mark.parametrize("think", [True, False, None, "high", "medium", "low", "max"])
def test_every_kind_of_thinking_is_read(think: Any) -> None:
    assert parse.chat(body(think=think)).think == think


GOOD = base64.b64encode(b"\x89PNG\r\n\x1a\n and more bytes").decode()
BAD_IMAGES = [
    (f"data:image/png;base64,{GOOD}", "illegal base64 data at input byte 4"),
    ("%%%", "illegal base64 data at input byte 0"),
    ("ab-_", "illegal base64 data at input byte 2"),
    ("abcde", "illegal base64 data at input byte 4"),
    ("abc", "illegal base64 data at input byte 0"),
    ("a===", "illegal base64 data at input byte 1"),
    ("====", "illegal base64 data at input byte 0"),
    ("ab=c", "illegal base64 data at input byte 2"),
    ("ab==abcd", "illegal base64 data at input byte 2"),
]


@pytest.mark.parametrize(("image", "message"), BAD_IMAGES)
def test_images_must_be_standard_base64(image: str, message: str) -> None:
    assert refusal(parse.chat, messages=[{"role": "user", "images": [GOOD, image]}]) == message
    assert refusal(parse.generate, prompt="x", images=[image]) == message


@pytest.mark.parametrize("image", [GOOD, "", f"{GOOD[:8]}\r\n{GOOD[8:]}\n", "YQ==", "YQ=\n=", "YWI=", None])
def test_line_breaks_and_nothing_are_fine_in_an_image(image: str | None) -> None:
    assert parse.generate(body(images=[image])).images == [image or ""]


@pytest.mark.parametrize("arguments", ["{}", "[]", '"{}"', "5"])
def test_arguments_of_a_call_are_an_object(arguments: str) -> None:
    calls = '{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":%s}}]}]}'
    if arguments == "{}":
        assert (
            bytes(parse.chat((calls % "{}").encode()).messages[0].tool_calls[0].function.arguments) == b"{}"
        )
        return
    with pytest.raises(BadRequest) as refused:
        parse.chat((calls % arguments).encode())
    assert refused.value.message == "Value looks like object, but can't find closing '}' symbol"


@pytest.mark.parametrize("function", [{}, {"name": "f"}, {"name": "f", "arguments": None}, None])
def test_a_call_without_arguments_has_none(function: Any) -> None:
    call = parse.chat(body(messages=[{"role": "assistant", "tool_calls": [{"function": function}]}]))
    sent = replay.build(CHAT, call, replay.target(), replay.rule())["messages"][0]
    assert sent["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize("extra", [{"system": "x"}, {"template": "x"}, {"context": [1]}])
def test_raw_mode_takes_nothing_else(extra: dict[str, Any]) -> None:
    call = parse.generate(body(model="m", prompt="x", raw=True, **extra))
    with pytest.raises(BadRequest, match=r"^raw mode does not support template, system, or context$"):
        replay.check(GENERATE, call, replay.rule())


@pytest.mark.parametrize("wanted", ["xml", 5, [1], True])
def test_a_format_is_json_or_a_schema(wanted: Any) -> None:
    call = parse.chat(body(format=wanted))
    with pytest.raises(BadRequest) as refused:
        replay.build(CHAT, call, replay.target(), replay.rule())
    shown = json.dumps(json.dumps(wanted))
    assert refused.value.message == (
        f'invalid format: {shown}; expected "json" or a valid JSON Schema object'
    )


@pytest.mark.parametrize("wanted", ["", None])
def test_an_empty_format_is_none(wanted: Any) -> None:
    sent = replay.build(CHAT, parse.chat(body(format=wanted)), replay.target(), replay.rule())
    assert "response_format" not in sent


def test_an_empty_schema_is_a_schema() -> None:
    sent = replay.build(CHAT, parse.chat(body(format={})), replay.target(), replay.rule())
    assert sent["response_format"]["json_schema"]["schema"] == {}


def test_roles_are_read_in_lower_case_and_never_judged() -> None:
    roles = ["USER", "Assistant", "developer", "whatever", ""]
    for more in ({}, {"unknown": 1}):
        call = parse.chat(body(messages=[{"role": role} for role in roles], **more))
        assert [message.role for message in call.messages] == ["user", "assistant", *roles[2:]]


# /api/embed


@pytest.mark.parametrize(
    ("given_input", "texts"),
    [("x", ["x"]), (["x", "y"], ["x", "y"]), ([""], [""]), ("", []), ([], []), (None, [])],
)
def test_the_input_of_embed_becomes_a_list(given_input: Any, texts: list[str]) -> None:
    assert parse.embed(body(model="m", input=given_input)).input == texts


@pytest.mark.parametrize("given_input", [[1, 2], {}, 5, True, ["x", None], [["x"]]])
def test_other_inputs_are_refused(given_input: Any) -> None:
    assert refusal(parse.embed, model="m", input=given_input) == "invalid input type"


def test_embed_takes_no_prompt_and_embeddings_no_input() -> None:
    assert parse.embed(body(prompt="x")).input == []
    assert parse.embeddings(body(input="x")).prompt == ""


def test_show_takes_both_words_for_the_model() -> None:
    call = parse.show(body(model="", name="plain"))
    assert (call.model, call.name) == ("", "plain")


# keep_alive


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (5, 5.0),
        (0, 0.0),
        (1.5, 1.5),
        (-1, math.inf),
        (-0.5, math.inf),
        (10**400, math.inf),
        (-(10**400), math.inf),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("1h30m10.5s", 5410.5),
        ("100ms", 0.1),
        ("5us", 5e-6),
        ("5µs", 5e-6),
        ("5μs", 5e-6),
        ("7ns", 7e-9),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("+5s", 5.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("-0", 0.0),
        ("-1s", math.inf),
        ("-1h30m", math.inf),
        ("2562047h47m", 2562047 * 3600 + 47 * 60),
    ],
)
def test_keep_alive(value: Any, seconds: float | None) -> None:
    found = keep_alive_s(value)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "missing unit in duration"),
        ("1h30", "missing unit in duration"),
        ("1d", 'unknown unit "d" in duration'),
        ("1H", 'unknown unit "H" in duration'),
        ("1h 30m", 'unknown unit "h " in duration'),
        ("", "invalid duration"),
        ("-", "invalid duration"),
        (".", "invalid duration"),
        (".s", "invalid duration"),
        ("s", "invalid duration"),
        (" 5s", "invalid duration"),
        ("--5s", "invalid duration"),
        ("forever", "invalid duration"),
        ("2562048h", "invalid duration"),
        ("-2562047h48m", "invalid duration"),
        ("9" * 999 + "s", "invalid duration"),
    ],
)
def test_durations_that_are_none(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        keep_alive_s(text)
    assert refused.value.message == f'time: {message} "{text}"'


def test_a_duration_without_end_keeps_nobody_waiting() -> None:
    began = time.process_time()
    with pytest.raises(BadRequest, match=r"^time: invalid duration"):
        keep_alive_s("0h" * 5_000_000)
    assert time.process_time() - began < 0.5


UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(list(UNITS))), min_size=1, max_size=5))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert keep_alive_s(text) == pytest.approx(sum(number * UNITS[unit] for number, unit in parts))


@given(st.text(st.sampled_from("0123456789.hmsunµ+-d٣ "), max_size=8))
def test_any_text_is_a_duration_or_a_bad_request(text: str) -> None:
    try:
        seconds = keep_alive_s(text)
    except BadRequest as refused:
        assert refused.message.startswith("time: ")
    else:
        assert seconds is not None
        assert seconds >= 0


# What is read can be sent


@given(BODIES | VALID[ChatRequest].map(written), st.sampled_from(list(DIALECTS)))
@example(b'{"options":{"temperature":1e999}}', "generic")
@example(rb'{"tools":[{"function":{"description":"\ud83d"}}]}', "generic")
@example(b'{"tools":[null,{"function":null}]}', "generic")
@example(b'{"format":{"a":"\xff"}}', "vllm")
@example(b'{"messages":[{"tool_calls":[{"function":{"arguments":{"a":"\xff"}}}]}]}', "openai")
def test_what_is_read_leaves_as_json_or_is_refused(request: bytes, dialect: str) -> None:
    for read, endpoint in ((parse.chat, CHAT), (parse.generate, GENERATE)):
        try:
            call: Any = read(request)
            sent = replay.build(endpoint, call, replay.target(dialect), replay.rule())
        except BadRequest:
            continue
        encoded = msgspec.json.encode(sent)
        assert json.loads(encoded)["model"] == replay.BACKEND_MODEL
        assert None not in sent.values()
