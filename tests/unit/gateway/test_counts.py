"""How many things a request or an answer may hold: refused in the words of the API that was asked."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from backends.routing.snapshot import MappingRules
from backends.wire.openai_types import FunctionDelta, ToolCallDelta
from gateway import counts, go_json, raw_forms
from gateway.decoding import LONG_BODY, decode_body
from gateway.errors import AnswerUnusable, BadRequest
from gateway.mapping_rules import apply_rules
from gateway.translate import tool_calls
from ollama_api.anthropic import request as anthropic
from ollama_api.ollama import parse
from ollama_api.openai import chat as openai
from ollama_api.raw_api import parse_raw
from ollama_api.responses import api as responses

USER = {"role": "user", "content": "x"}
TURNS = {"messages": [USER] * (counts.MOST_TURNS + 1)}
TOOL = {"type": "function", "function": {"name": "f"}}
TOOLS = counts.MOST_TOOLS + 1
PARTS = counts.MOST_PARTS + 1
HALF = PARTS // 2
CALL = {"function": {"name": "f", "arguments": {}}}
TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("read", "body", "told"),
    [
        (parse.chat, TURNS, "too many messages: at most 20000 are taken, and these are 20001"),
        (
            parse.chat,
            {"messages": [USER | {"images": ["QUJD"] * HALF, "tool_calls": [CALL] * (PARTS - HALF)}]},
            "too many images and tool calls: at most 20000 are taken, and these are 20001",
        ),
        (
            parse.chat,
            {"tools": [TOOL] * TOOLS},
            "too many tools: at most 2000 are taken, and these are 2001",
        ),
        (
            parse.generate,
            {"images": ["QUJD"] * PARTS},
            "too many images: at most 20000 are taken, and these are 20001",
        ),
        (
            parse.embed,
            {"input": ["x"] * (counts.MOST_TEXTS + 1)},
            "too many texts: at most 50000 are taken, and these are 50001",
        ),
        (parse.create, TURNS, "too many messages: at most 20000 are taken, and these are 20001"),
        (
            openai.parse_chat,
            TURNS,
            "Invalid 'messages': array too long. Expected an array with maximum length 20000, but got an "
            "array with length 20001 instead.",
        ),
        (
            responses.parse,
            {"input": [USER] * (counts.MOST_TURNS + 1)},
            "Invalid 'input': array too long. Expected an array with maximum length 20000, but got an "
            "array with length 20001 instead.",
        ),
        (
            responses.parse,
            {"input": [USER | {"content": [{"type": "input_text", "text": "x"}] * PARTS}]},
            "Invalid 'input[].content': array too long. Expected an array with maximum length 20000, but got "
            "an array with length 20001 instead.",
        ),
        (
            responses.parse,
            {"input": "x", "tools": [{"type": "function", "name": f"f{n}"} for n in range(TOOLS)]},
            "Invalid 'tools': array too long. Expected an array with maximum length 2000, but got an array "
            "with length 2001 instead.",
        ),
        (
            anthropic.parse,
            {"max_tokens": 9} | TURNS,
            "messages: List should have at most 20000 items after validation, not 20001",
        ),
        (
            anthropic.parse,
            {"max_tokens": 9, "messages": [USER | {"content": [TEXT] * n} for n in (HALF, PARTS - HALF)]},
            "messages.content: List should have at most 20000 items after validation, not 20001",
        ),
        (
            anthropic.parse,
            {"max_tokens": 9, "messages": [USER], "tools": [{"name": "f"}] * TOOLS},
            "tools: List should have at most 2000 items after validation, not 2001",
        ),
    ],
)
def test_more_than_anybody_needs(read: Callable[[bytes], Any], body: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(json.dumps({"model": "m", **body}).encode())
    assert refused.value.message == told


def test_example_turns_go_before_no_more_turns_than_are_taken() -> None:
    call = parse_raw(raw_forms.MESSAGES, json.dumps({"model": "m", **TURNS}).encode())
    rule = MappingRules(name="m", targets=(), messages=({"role": "user", "content": "example"},))
    with pytest.raises(BadRequest, match="too many messages"):
        apply_rules(rule, call)


TOO_MANY = b'{"model":"m","options":{"x":[' + b"{}," * counts.MOST_VALUES + b"{}]}}"


@pytest.mark.parametrize("read", [parse.chat, parse.embed, parse.show, responses.parse, anthropic.parse])
def test_more_values_than_are_decoded(read: Callable[[bytes], Any]) -> None:
    with pytest.raises(BadRequest, match="more than 1000000 JSON values"):
        read(TOO_MANY)


def test_the_slow_path_does_not_decode_them_either() -> None:
    with pytest.raises(BadRequest, match="more than 1000000 JSON values"):
        go_json.first_value(b'{"a":"\\ud800",' + TOO_MANY[1:])
    with pytest.raises(BadRequest, match="more than 1000000 JSON values"):
        parse_raw(raw_forms.CHAT, TOO_MANY + b"\xff")


@pytest.mark.parametrize(
    "text", [",[{" * counts.MOST_VALUES, '\\"' * counts.MOST_VALUES + "," * 2 * counts.MOST_VALUES, "x,\n"]
)
def test_what_stands_in_texts_is_no_value(text: str) -> None:
    prompt = parse.generate(json.dumps({"model": "m", "prompt": text, "context": [1, 2]}).encode()).prompt
    assert prompt == text


@pytest.mark.parametrize("extra", [0, 2 * counts.AT_A_TIME])
def test_values_are_counted_beside_texts(extra: int) -> None:
    body = b"[" + b'"a,",' * (counts.MOST_VALUES - 2 + extra) + b"1]" + b" " * counts.MOST_VALUES
    if not extra:
        return counts.check_values(body)
    with pytest.raises(BadRequest):
        counts.check_values(body)


def piece(index: int, arguments: str, name: str | None = None) -> ToolCallDelta:
    return ToolCallDelta(index, None, FunctionDelta(name, arguments))


def test_an_answer_of_more_calls_than_a_model_means() -> None:
    made = tool_calls.Calls()
    for index in range(tool_calls.MOST_CALLS):
        made.add(piece(index, "{}", "f"))
    with pytest.raises(AnswerUnusable, match="more than 1000 tool calls") as unusable:
        made.add(piece(tool_calls.MOST_CALLS, "{}", "f"))
    assert unusable.value.status == 502
    assert len(made.whole(1, is_cut=False)) == tool_calls.MOST_CALLS


def test_calls_in_pieces_without_end() -> None:
    made = tool_calls.Calls()
    with pytest.raises(AnswerUnusable, match="more than 250000 pieces"):
        for _ in range(tool_calls.MOST_FRAGMENTS + 1):
            made.add(piece(0, "x"))


def test_a_name_without_end() -> None:
    made = tool_calls.Calls()
    with pytest.raises(AnswerUnusable, match="name without end"):
        for place in range(tool_calls.LONGEST_NAME):
            made.add(piece(0, "", "ab" if place % 2 else "c"))


@pytest.mark.parametrize(("length", "is_elsewhere"), [(LONG_BODY, False), (LONG_BODY + 1, True)])
async def test_long_bodies_are_decoded_where_nobody_waits(length: int, is_elsewhere: bool) -> None:
    where = await decode_body(lambda body: threading.get_ident(), b" " * length)
    assert (where != threading.get_ident()) is is_elsewhere


async def test_what_is_wrong_with_a_long_body_is_told() -> None:
    with pytest.raises(BadRequest, match="JSON values"):
        await decode_body(parse.chat, TOO_MANY)
