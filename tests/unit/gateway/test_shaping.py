"""Conversations and answers, shaped for one kind of backend."""

import json
import re
from typing import Any

import pytest

from backends.wire.reading import decode_reply
from gateway.client_api import ClientApi
from gateway.generation import GenerationRequest
from gateway.translate.message_normalization import without_echo
from ollama_api.anthropic import request as anthropic_request
from ollama_api.anthropic.api import MESSAGES
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.responses import api as responses
from ollama_api.responses.api import RESPONSES
from tests.golden import replay
from tests.golden.replay import rule, target

TURNS = [{"role": "user", "content": "count"}, {"role": "assistant", "content": "one, "}]
APIS = {
    "/api/chat": (parse.chat, CHAT, {"messages": TURNS}),
    "/v1/messages": (anthropic_request.parse, MESSAGES, {"messages": TURNS, "max_tokens": 9}),
    "/v1/responses": (responses.parse, RESPONSES, {"input": TURNS}),
}


@pytest.mark.parametrize(("read", "endpoint", "body"), APIS.values(), ids=APIS.keys())
@pytest.mark.parametrize(
    ("dialect", "said"), [("llamacpp", "two"), ("vllm", "one, two")]
)  # the latter does not repeat a turn, so this is its own answer
def test_a_turn_that_is_gone_on_with_is_not_repeated_on_any_api(
    read: Any, endpoint: ClientApi, body: dict[str, Any], dialect: str, said: str
) -> None:
    call = read(json.dumps({"model": "m", **body}).encode())
    reply = decode_reply(b'{"choices":[{"message":{"content":"one, two"},"finish_reason":"stop"}]}')
    operation = endpoint.translate(call, None)
    assert isinstance(operation, GenerationRequest)
    without_echo(operation.turns, target(dialect), reply)
    assert reply.choices is not None
    assert reply.choices[0].message is not None
    assert reply.choices[0].message.content == said


def test_ids_of_calls_are_as_mistral_takes_them_and_still_bind_results_to_calls() -> None:
    given = ["call_0123456789", "toolu_01", "a1B2c3D4e", "call_9876543210"]
    calls = [{"id": call_id, "function": {"name": "f", "arguments": {}}} for call_id in given]
    results = [{"role": "tool", "tool_call_id": call_id, "content": call_id} for call_id in given]
    turns = [{"role": "assistant", "content": "", "tool_calls": calls}, *results]
    call = parse.chat(json.dumps({"model": "m", "messages": turns}).encode())
    sent, *told = replay.build(CHAT, call, target("mistral"), rule())["messages"]
    ids = [one["id"] for one in sent["tool_calls"]]
    assert all(re.fullmatch(r"[a-zA-Z0-9]{9}", one) for one in ids)
    assert len(set(ids)) == len(given)
    assert ids[2] == given[2]
    assert [(one["tool_call_id"], one["content"]) for one in told] == list(zip(ids, given, strict=True))
    plain, *_ = replay.build(CHAT, call, target(), rule())["messages"]
    assert [one["id"] for one in plain["tool_calls"]] == given


def test_images_of_results_stand_behind_them_where_results_hold_text_only() -> None:
    image = "iVBORw0KGgo="
    calls = [{"id": call_id, "function": {"name": "f", "arguments": {}}} for call_id in "ab"]
    turns = [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "one", "images": [image]},
        {"role": "tool", "tool_call_id": "b", "content": "", "images": [image]},
        {"role": "user", "content": "and?"},
    ]
    call = parse.chat(json.dumps({"model": "m", "messages": turns}).encode())
    _, *sent = replay.build(CHAT, call, target("openai"), rule())["messages"]
    assert [(turn["role"], turn["content"]) for turn in sent[:2]] == [("tool", "one"), ("tool", "")]
    assert [part["type"] for part in sent[2]["content"]] == ["text", "image_url", "image_url"]
    assert [turn["role"] for turn in sent[2:]] == ["user", "user"]
    _, *kept = replay.build(CHAT, call, target("llamacpp"), rule())["messages"]
    assert [part["type"] for part in kept[0]["content"]] == ["text", "image_url"]
    assert len(kept) == 3
