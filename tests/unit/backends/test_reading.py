"""One event of a backend, brought to the one form that translators know."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.openai_types import BadReply, Delta, Reply
from backends.wire.reading import Reader, Reading, decode_reply
from gateway.translate.assembly import Assembly


def chunk(finish: Any = None, *, more: Any = None, **delta: Any) -> bytes:
    return json.dumps({"choices": [{"delta": delta, "finish_reason": finish}], **(more or {})}).encode()


def read(*events: bytes, reading: Reading | None = None) -> list[Reply]:
    reader = Reader(reading) if reading else Reader()
    replies = [reader.read(event) for event in events]
    rest = reader.end()
    return replies if rest is None else [*replies, rest]


def said(*events: bytes, reading: Reading | None = None) -> tuple[str, str]:
    """(thinking, content)."""
    assembly = Assembly()
    pieces = [assembly.take(reply) for reply in read(*events, reading=reading)]
    shown = [piece for piece in pieces if piece is not None]
    return "".join(piece.thinking for piece in shown), "".join(piece.content for piece in shown)


@pytest.mark.parametrize(
    ("delta", "thinking", "content"),
    [
        ({"reasoning_content": "t", "reasoning": "t", "content": "a"}, "t", "a"),
        ({"reasoning_content": "", "reasoning": "t"}, "t", ""),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "t"}]}, "t", ""),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "t"}], "content": "a"}, "t", "a"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}], "content": "a"}, "", "a"),
        ({"reasoning_details": [{"text": "t"}], "reasoning": "t"}, "t", ""),
        ({"thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}]}, "t", ""),
        ({"content": [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "a"}]}, "t", "a"),
        ({"content": [{"type": "thinking", "thinking": None}, {"type": "text", "text": 5}]}, "", ""),
        ({"content": [{"type": "thinking", "thinking": [None, {"text": "t"}]}]}, "t", ""),
        ({"content": {"type": "text", "text": "a"}}, "", "a"),
        ({"content": 5}, "", "5"),
        ({"reasoning": {"text": "t"}, "content": "a"}, "t", "a"),
        ({"reasoning": ["t", {"text": "u"}]}, "tu", ""),
        ({"refusal": "No.", "content": ""}, "", "No."),
    ],
)
def test_text_and_thinking_wherever_they_stand(delta: dict[str, Any], thinking: str, content: str) -> None:
    assert said(chunk(**delta)) == (thinking, content)


def test_tags_are_parted_only_where_the_kind_of_backend_says_so() -> None:
    events = [chunk(content="<think>t</th"), chunk(content="ink>a"), chunk("stop")]
    assert said(*events) == ("", "<think>t</think>a")
    assert said(*events, reading=Reading(reasoning_tags="start")) == ("t", "a")
    assert said(chunk(content="t</think>a"), reading=Reading(reasoning_tags="open")) == ("t", "a")


def test_tags_are_text_where_thinking_has_a_place_of_its_own() -> None:
    events = [chunk(content=" "), chunk(reasoning="t"), chunk(content="<think>a</think>")]
    assert said(*events, reading=Reading(reasoning_tags="start")) == ("t", " <think>a</think>")


def test_what_is_held_back_comes_at_the_end() -> None:
    assert said(chunk(content="<thi"), chunk("stop"), reading=Reading(reasoning_tags="start")) == ("", "<thi")
    assert said(b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}') == ("", "a\ufffd")
    assert said(b'{"choices":[{"delta":{"reasoning":"\\ud83d"}}]}', chunk(content="a")) == ("\ufffd", "a")


def test_a_whole_answer_is_whole_at_once() -> None:
    message = {"role": "assistant", "content": "<think>t</think>a</th"}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
    reader = Reader(Reading(reasoning_tags="start"))
    [choice] = reader.read(body).choices or []
    assert choice.message == Delta(content="a</th", reasoning_content="t")
    assert reader.end() is None


HALVES = [
    b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}',
    b'{"choices":[{"delta":{"content":"\\ude00b"}}]}',
]


def test_halves_of_a_pair_find_each_other_over_chunks_that_say_nothing() -> None:
    assert said(HALVES[0], chunk(role="assistant"), HALVES[1]) == ("", "a\U0001f600b")
    assert said(HALVES[0], chunk(content="c"), HALVES[1]) == ("", "a\ufffdc\ufffdb")
    assert said(HALVES[1]) == ("", "\ufffdb")


def usage_of(usage: Any, reading: Reading | None = None, **more: Any) -> tuple[Any, Any] | None:
    [reply] = read(json.dumps({"choices": [], "usage": usage, **more}).encode(), reading=reading)
    return None if reply.usage is None else (reply.usage.prompt_tokens, reply.usage.completion_tokens)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, (5, 2)),
        ({"prompt_tokens": 5.0, "completion_tokens": 2.0}, (5, 2)),
        ({"prompt_tokens": "5", "completion_tokens": "2"}, (5, 2)),
        ({"prompt_tokens": 5, "completion_tokens": None, "total_tokens": 7}, (5, 2)),
        ({"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 2, "completion_tokens": 1}, (5, 1)),
        ({"prompt_tokens": 5}, (5, None)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": -5, "completion_tokens": 2}, (None, 2)),
        ({"prompt_tokens": 10**30, "completion_tokens": 2}, (None, 2)),
        ({"prompt_tokens": True, "completion_tokens": [1]}, None),
        ({}, None),
        (None, None),
        ("", None),
        ([], None),
    ],
)
def test_counts(usage: Any, counts: tuple[Any, Any] | None) -> None:
    assert usage_of(usage) == counts


def test_the_total_counts_where_thinking_is_left_out_of_what_is_told() -> None:
    told = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 20}
    assert usage_of(told) == (5, 2)
    assert usage_of(told, Reading(completion_tokens_from="total")) == (5, 15)
    assert usage_of(told | {"total_tokens": 0}, Reading(completion_tokens_from="total")) == (5, 2)


def test_counts_of_zero_replace_none_that_came_before() -> None:
    assembly = Assembly()
    for usage in ({"prompt_tokens": 5, "completion_tokens": 2}, {"prompt_tokens": 0, "completion_tokens": 0}):
        assembly.take(decode_reply(json.dumps({"choices": [], "usage": usage}).encode()))
    assert assembly.usage is not None
    assert assembly.usage.prompt_tokens == 5


def test_groq_tells_counts_and_seconds_in_a_member_of_its_own() -> None:
    usage = {"prompt_tokens": 4, "prompt_time": 0.002, "completion_tokens": 1, "completion_time": 0.5}
    [reply] = read(chunk("stop", more={"x_groq": {"id": "r", "usage": usage}}))
    assert reply.usage is not None
    assert reply.timings is not None
    assert (reply.usage.prompt_tokens, reply.timings.prompt_ms, reply.timings.predicted_ms) == (4, 2.0, 500.0)


@pytest.mark.parametrize(
    ("told", "prompt_ms", "predicted_ms"),
    [
        ({"queue_time": 0.1, "prompt_time": 0.002, "completion_time": 0.5, "total_time": 0.7}, 2.0, 500.0),
        ({"completion_time": 0.5, "created": "now"}, 0.0, 500.0),
        ({"created": 1}, None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_cerebras_tells_seconds_beside_the_counts(
    told: Any, prompt_ms: float | None, predicted_ms: float | None
) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 1}
    [reply] = read(chunk("stop", more={"usage": usage, "time_info": told}))
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 4
    times = reply.timings and (reply.timings.prompt_ms, reply.timings.predicted_ms)
    assert times == (None if predicted_ms is None else (prompt_ms, predicted_ms))


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (b'{"error":{"code":1},"choices":[]}', {"code": 1}),
        (b'{"choices":[{"delta":{},"finish_reason":"stop","error":{"code":429}}]}', {"code": 429}),
        (b'{"object":"error","message":"m","code":500}', {"object": "error", "message": "m", "code": 500}),
        (b'{"error_type":"t","error_message":"m"}', {"error_type": "t", "error_message": "m"}),
        (b'{"choices":[],"x_groq":{"error":"m"}}', "m"),
        (b'{"choices":[{"delta":{"content":""}}],"x_groq":{"error":"m"}}', "m"),
        (b'[{"error":{"code":400}}]', {"code": 400}),
        (b'{"error":{"code":NaN,"message":"\\ud800"}}', {"code": -9999.0, "message": "\ufffd"}),
        (b'{"error":null}', None),
        (b'{"type":"ping"}', None),
        (b"{}", None),
    ],
)
def test_errors_wherever_they_stand(event: bytes, error: Any) -> None:
    assert decode_reply(event).error == error


@pytest.mark.parametrize("finish", ["error", "abort", "network_error"])
def test_an_end_that_is_a_failure_is_an_error(finish: str) -> None:
    assert decode_reply(chunk(finish)).error == {
        "code": 500,
        "message": "the backend broke off this answer",
    }


def test_an_end_for_want_of_resources_is_another_backends_chance() -> None:
    assert decode_reply(chunk("insufficient_system_resource")).error["code"] == 503


def test_a_function_call_of_old_is_a_tool_call() -> None:
    assembly = Assembly()
    for delta in ({"name": "f", "arguments": ""}, {"arguments": '{"x":'}, {"arguments": "1}"}):
        assembly.take(decode_reply(chunk(function_call=delta, content=None)))
    [call] = assembly.tool_calls(0)
    assert (call.function.name, bytes(call.function.arguments)) == ("f", b'{"x":1}')


ODD = [
    (b'{"choices":{"delta":{"content":"a"}}}', "a"),
    (b'{"choices":[null,{"delta":{"content":"a"}}]}', "a"),
    (b'{"choices":[{"delta":{"content":"a"},"index":"0","logprobs":[]}]}', "a"),
    (b'{"choices":[{"delta":{"content":"a","tool_calls":[null]}}],"usage":"none"}', "a"),
    (b'{"choices":[{"delta":{"content":"a","tool_calls":{}}}],"timings":{"prompt_n":5.5}}', "a"),
    (b'{"choices":[{"delta":{"content":"a\nb"}}]}', "a\nb"),
    (b'\xef\xbb\xbf {"choices":[{"delta":{"content":"a"}}]}', "a"),
    (b'{"choices":[{"delta":"a"}],"n":1e999}', ""),
]


@pytest.mark.parametrize(("event", "content"), ODD)
def test_members_of_other_types_than_documented(event: bytes, content: str) -> None:
    assert said(event) == ("", content)


@pytest.mark.parametrize(
    ("finish", "found"), [({"type": "stop"}, "stop"), (5, "stop"), ("", ""), (None, None), (False, None)]
)
def test_reasons_of_other_types(finish: Any, found: str | None) -> None:
    [choice] = decode_reply(chunk(finish, content=5)).choices or []
    assert choice.finish_reason == found


def test_probabilities_become_numbers_that_json_knows() -> None:
    told = b'{"content":[{"token":"\\ud83d","logprob":-Infinity}]}'
    event = b'{"choices":[{"delta":{"content":"a"},"logprobs":%b}]}' % told
    [choice] = decode_reply(event).choices or []
    assert choice.logprobs is not None
    assert choice.logprobs.content == [{"token": "\ufffd", "logprob": -9999.0}]


@pytest.mark.parametrize("event", [b"{", b"", b"oops", b'{"choices":[', b'{"a":' * 90_000, b"9" * 5000])
def test_what_is_no_json_is_refused(event: bytes) -> None:
    with pytest.raises(BadReply):
        decode_reply(event)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["content", "reasoning", "tool_calls", "function", "arguments", "id", "name", "usage", "text"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(ANY, ANY, ANY, st.sampled_from(["none", "start", "open"]))
def test_no_value_anywhere_makes_it_fail(delta: Any, finish: Any, usage: Any, tags: Any) -> None:
    event = {"choices": [{"delta": delta, "finish_reason": finish, "logprobs": delta}], "usage": usage}
    thinking, content = said(json.dumps(event).encode(), reading=Reading(reasoning_tags=tags))
    (thinking + content).encode()


@pytest.mark.parametrize("odd", [float("nan"), "\ud800", 1])
def test_what_has_to_come_back_is_read_whatever_stands_beside_it(odd: Any) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"a": "b"}}
    details = [{"type": "reasoning.encrypted", "data": "x", "odd": odd}]
    (reply,) = read(chunk(more={"odd": odd}, tool_calls=[call], reasoning_details=details))
    delta = reply.choices[0].delta if reply.choices else None
    assert delta is not None
    assert [one.extra_content for one in delta.tool_calls or ()] == [{"a": "b"}]
    (detail,) = json.loads(msgspec.json.encode(delta.reasoning_details))
    assert (detail["type"], detail["data"]) == ("reasoning.encrypted", "x")


@pytest.mark.parametrize("odd", [1, float("nan")])
def test_log_probabilities_of_completions_are_told_as_those_of_chats(odd: float) -> None:
    told = {
        "tokens": ["a", " é"],
        "token_logprobs": [-0.5, -1],
        "top_logprobs": [{"a": -0.5, "b": -2.0}, None],
        "text_offset": [0, 1],
    }
    event = json.dumps({"choices": [{"text": "a é", "logprobs": told}], "n": odd}).encode()
    (reply,) = read(event)
    assert reply.choices is not None
    assert reply.choices[0].logprobs is not None
    assert reply.choices[0].logprobs.content == [
        {
            "token": "a",
            "logprob": -0.5,
            "bytes": [97],
            "top_logprobs": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -2.0}],
        },
        {"token": " é", "logprob": -1, "bytes": [32, 195, 169], "top_logprobs": []},
    ]
