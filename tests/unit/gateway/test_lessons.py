"""Faults seen in earlier translators between Ollama and OpenAI, and that none of them is here.

Two lists, each with its own numbers. What needs a server is in `tests/integration/gateway/test_lessons.py`.
"""

import json
from typing import Any

import pytest
from django.conf import settings

from backends.wire.dialects import DIALECTS
from backends.wire.reading import decode_reply
from gateway import model_list
from gateway.durations import keep_alive_s
from gateway.generation import GenerationRequest
from gateway.translate.chat_completions import build_chat
from gateway.translate.token_usage import Timings
from ollama_api.json_encoding import to_json
from ollama_api.ollama import model_metadata, parse, show
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.chat import to_operation
from tests.golden import replay

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
DONE = b"data: [DONE]\n\n"


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


def request(**fields: Any) -> Any:
    return parse.chat(
        json.dumps({"model": "alias", "messages": [{"role": "user", "content": "x"}]} | fields).encode()
    )


def streamed(*reads: bytes) -> list[dict[str, Any]]:
    """The lines that the client gets."""
    outcome = replay.stream(CHAT, request(), reads)
    assert outcome.status == 200, outcome.body
    return [json.loads(line) for line in outcome.body.splitlines()]


def asked(dialect: str = "generic", **fields: Any) -> dict[str, Any]:
    """What the backend is asked."""
    asked = to_operation(request(**fields))
    assert isinstance(asked, GenerationRequest)
    sent: dict[str, Any] = json.loads(to_json(build_chat(asked, replay.target(dialect))))
    return sent


def text_of(lines: list[dict[str, Any]]) -> str:
    return "".join(line["message"]["content"] for line in lines)


def calls_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for line in lines for call in line["message"].get("tool_calls", [])]


class TestFirstList:
    """Faults seen in earlier translators: the first list, of eleven."""

    @pytest.mark.parametrize("finish", ["stop", "tool_calls", "length", "eos_token", None])
    def test_01_streamed_tool_calls_survive_another_finish_reason(self, finish: str | None) -> None:
        lines = streamed(chunk(tool_calls=[CALL]), chunk(finish), DONE)
        assert [call["function"]["name"] for call in calls_of(lines)] == ["f"]
        assert lines[-1]["done"] is True

    def test_02_text_beside_a_tool_delta_is_kept(self) -> None:
        lines = streamed(chunk(content="One moment.", tool_calls=[CALL]), chunk("tool_calls"), DONE)
        assert text_of(lines) == "One moment."
        assert len(calls_of(lines)) == 1

    @pytest.mark.parametrize("arguments", ['{"x":', "{'x': 1}", "x=1", "[1]"])
    def test_03_arguments_that_are_no_json_are_not_swallowed(self, arguments: str) -> None:
        broken = {**CALL, "function": {"name": "f", "arguments": arguments}}
        outcome = replay.stream(
            CHAT, request(), [chunk(content="a"), chunk(tool_calls=[broken]), chunk("stop"), DONE]
        )
        *_, last = [json.loads(line) for line in outcome.body.splitlines()]
        assert 'invalid tool call arguments for "f"' in last["error"]
        assert b'"done":true' not in outcome.body
        assert b"tool_calls" not in outcome.body

    def test_04_parallel_calls_of_one_tool_keep_their_ids(self) -> None:
        second = {**CALL, "index": 1, "id": "call_2"}
        lines = streamed(chunk(tool_calls=[CALL, second]), chunk("tool_calls"), DONE)
        assert [call["id"] for call in calls_of(lines)] == ["call_1", "call_2"]

    def test_04_a_clients_tool_call_id_is_honoured(self) -> None:
        calls = [{"id": name, "function": {"name": "f", "arguments": {}}} for name in ("first", "second")]
        results = [{"role": "tool", "content": name, "tool_call_id": name} for name in ("second", "first")]
        sent = asked(messages=[{"role": "assistant", "tool_calls": calls}, *results])["messages"]
        assert [call["id"] for call in sent[0]["tool_calls"]] == ["first", "second"]
        assert [(result["tool_call_id"], result["content"]) for result in sent[1:]] == [
            ("second", "second"),
            ("first", "first"),
        ]

    def test_05_template_switches_go_only_to_backends_that_know_them(self) -> None:
        know = {name for name in DIALECTS if "chat_template_kwargs" in asked(name, think=False)}
        assert know == {"vllm", "llamacpp", "sglang", "nim", "sambanova"}
        for dialect in DIALECTS:
            own = {
                *DIALECTS[dialect].body,
                *(["stream_options"] if DIALECTS[dialect].accepts_stream_options else []),
            }
            assert set(asked(dialect)) == {"model", "messages", "stream", *own}, (
                "thinking is not switched off behind the client's back"
            )

    @pytest.mark.parametrize(
        "end", [b"", b'data: {"choices":[{"del', b'data: {"error":{"message":"died"}}\n\n']
    )
    def test_06_a_truncated_answer_does_not_look_complete(self, end: bytes) -> None:
        lines = streamed(chunk(content="half"), *([end] if end else []))
        assert text_of(lines[:-1]) == "half"
        assert list(lines[-1]) == ["error"]

    def test_07_errors_are_json_with_the_backends_own_words(self) -> None:
        event = b'data: {"error":{"message":"context length exceeded: 5000 of 4096","code":400}}\n\n'
        refused = replay.stream(CHAT, request(), [event])
        assert (refused.status, refused.body) == (400, b'{"error":"context length exceeded: 5000 of 4096"}')

    def test_08_a_schema_is_sent_in_openais_wrapper(self) -> None:
        schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
        for dialect in [name for name, row in DIALECTS.items() if row.format in ("openai", "schema")]:
            assert asked(dialect, format=schema)["response_format"] == {
                "type": "json_schema",
                "json_schema": {"name": "response", "schema": schema},
            }

    def test_09_capabilities_and_digests_are_each_models_own(self) -> None:
        models = [
            described(name) for name in ("llama-3.1-8b", "gpt-4o", "text-embedding-3-small", "qwen3:8b")
        ]
        assert len({tuple(model_metadata.capabilities(model)) for model in models}) == 4
        assert len({model_metadata.digest(model) for model in models}) == 4


def described(model: str, **fields: Any) -> model_list.DescribedModel:
    target = replay.target(model=model)
    return model_list.DescribedModel(model, replay.rule(target, name=model, **fields), target, None)


TEXT = [
    chunk(role="assistant", content=""),
    chunk(content="Hé"),
    chunk(content="llo 😀\u2028!"),
    chunk("stop"),
    b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n',
    DONE,
]


class TestSecondList:
    """Faults seen in earlier translators: the second list, of twelve."""

    def test_01_streamed_chat_speaks_in_messages(self) -> None:
        for line in streamed(*TEXT):
            assert line["message"]["role"] == "assistant"
            assert "response" not in line
        assert text_of(streamed(*TEXT)) == "Héllo 😀\u2028!"

    def test_02_there_is_one_final_line(self) -> None:
        assert [line["done"] for line in streamed(*TEXT)] == [False, False, True]

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
    def test_03_lines_and_characters_cut_by_the_network_arrive_whole(self, size: int) -> None:
        sse = b"".join(TEXT)
        reads = [sse[start : start + size] for start in range(0, len(sse), size)]
        assert streamed(*reads) == streamed(*TEXT)

    def test_05_streamed_tool_calls_are_whole_with_arguments_as_objects(self) -> None:
        pieces = ['{"ci', 'ty":"Pa', 'ris"}']
        fragments = [chunk(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in pieces]
        opening = {"index": 0, "id": "call_9", "function": {"name": "f", "arguments": ""}}
        lines = streamed(chunk(tool_calls=[opening]), *fragments, chunk("tool_calls"), DONE)
        assert calls_of(lines) == [
            {"id": "call_9", "function": {"index": 0, "name": "f", "arguments": {"city": "Paris"}}}
        ]

    def test_05_ids_of_tool_results_are_kept(self) -> None:
        history = [
            {
                "role": "assistant",
                "tool_calls": [{"id": "call_9", "function": {"name": "f", "arguments": {}}}],
            },
            {"role": "tool", "content": "18 C", "tool_call_id": "call_9"},
        ]
        assert asked(messages=history)["messages"][1]["tool_call_id"] == "call_9"

    def test_06_streams_carry_usage_and_measured_durations(self) -> None:
        assert asked()["stream_options"] == {"include_usage": True}
        *before, last = streamed(*TEXT)
        assert (last["prompt_eval_count"], last["eval_count"]) == (7, 3)
        points = replay.TIMINGS
        assert last["total_duration"] == points.ended_ns - points.started_ns
        assert last["prompt_eval_duration"] == points.first_ns - points.sent_ns
        assert last["eval_duration"] == points.ended_ns - points.first_ns
        assert not any("eval_count" in line or "total_duration" in line for line in before)

    def test_06_durations_follow_the_clock(self) -> None:
        translator = replay.open_stream(CHAT, request())
        translator.feed([decode_reply(b'{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}')], 0)
        slower = Timings(0, 1, 2, 9_000_000_000)
        _, metrics = translator.finish(slower, 0)
        assert metrics.total_duration == 9_000_000_000

    def test_07_think_format_and_keep_alive_are_understood(self) -> None:
        assert asked("openai", think="low")["reasoning_effort"] == "low"
        assert asked(format="json")["response_format"] == {"type": "json_object"}
        assert asked(format={"type": "object"})["response_format"]["type"] == "json_schema"
        assert keep_alive_s(request(keep_alive="10m").keep_alive) == 600.0

    def test_08_show_has_capabilities_and_invents_nothing(self) -> None:
        plain = json.loads(to_json(show.show_reply(described("mystery"))))
        assert plain["capabilities"] == ["completion", "tools"]
        assert plain["parameters"] == ""
        assert plain["model_info"] == {"general.architecture": "mystery", "general.basename": "mystery"}
        told = described("mystery", options={"temperature": 0.5}, context_length=4096)
        shown = json.loads(to_json(show.show_reply(told)))
        assert shown["parameters"].split() == ["temperature", "0.5"]
        assert shown["model_info"]["mystery.context_length"] == 4096

    def test_08_the_version_is_new_enough_for_copilot(self) -> None:
        assert [int(part) for part in settings.PROXY.ollama_version.split(".")] >= [0, 6, 4]
