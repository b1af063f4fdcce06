"""POST /v1/responses: what an answer becomes, whole and streamed, as OpenAI's own library reads it."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from gateway.errors import AnswerUnusable, BadRequest, Failure, RequestError
from ollama_api.json_encoding import to_json
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.unit.ollama_api.responses_parts import (
    NOW_NS,
    TIMINGS,
    TOOLS,
    USAGE,
    ask,
    call,
    chunks,
    end,
    events_in,
    reply,
    streamed,
    text,
    thought,
    whole,
)


def items_of(response: Any) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json", exclude_unset=True) for item in response.output]


THINK, SAY = [thought("hm"), thought("m")], [text("Hel"), text("lo")]
ANSWERS = {
    "text": [*SAY, end()],
    "thinking and text": [*THINK, *SAY, end()],
    "thinking alone": [*THINK, end()],
    "text beside a call": [*SAY, call(0), end("tool_calls")],
    "calls alone": [call(0), call(1, "", "g"), end("tool_calls")],
    "everything": [*THINK, *SAY, call(0), call(1), end("tool_calls")],
    "cut by length": [*SAY, end("length")],
    "cut in its thoughts": [*THINK, end("length")],
    "cut behind its calls": [*SAY, call(0), end("length")],
    "cut in a call": [*SAY, call(0, '{"x'), end("length")],
    "filtered": [*SAY, end("content_filter")],
    "empty": [end()],
    "separators": [text("a\u2028b\u0085c\r\nd"), end()],
}
REASONS = {
    "length": ("incomplete", "max_output_tokens"),
    "content_filter": ("incomplete", "content_filter"),
}


@pytest.mark.parametrize("choices", ANSWERS.values(), ids=ANSWERS)
def test_streamed_and_whole_are_the_same_response(choices: list[dict[str, Any]]) -> None:
    body, metrics = replay.encode_measured(responses.RESPONSES, ask(), whole(*choices), TIMINGS, NOW_NS)
    response = Response.model_validate_json(to_json(body), strict=True)
    status, reason = REASONS.get(choices[-1]["finish_reason"], ("completed", None))
    assert response.status == status
    assert (response.incomplete_details and response.incomplete_details.reason) == reason
    usage = response.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (5, 7, 12)
    assert (metrics.prompt_eval_count, metrics.eval_count) == (5, 7)
    last = events_in(streamed(*choices))[-1]
    assert last.type == f"response.{status}"
    assert last.response == response


@pytest.mark.parametrize("choices", ANSWERS.values(), ids=ANSWERS)
def test_the_events_of_a_stream_add_up(choices: list[dict[str, Any]]) -> None:
    check_story(events_in(streamed(*choices)))


PARTS = st.sampled_from(["thought", "text", "call", "nothing"])


@settings(max_examples=30)
@given(st.lists(PARTS, max_size=8), st.lists(st.integers(0, 3), max_size=6))
def test_any_order_in_any_reads_adds_up(parts: list[str], reads: list[int]) -> None:
    makers: dict[str, Callable[[int], dict[str, Any]]] = {
        "thought": lambda place: thought(f"t{place}"),
        "text": lambda place: text(f"t{place}"),
        "call": call,
        "nothing": lambda _: text(""),
    }
    choices = [makers[part](place) for place, part in enumerate(parts)]
    stream, told, rest = replay.open_stream(responses.RESPONSES, ask()), b"", chunks(*choices, end())
    for read in reads:
        told += stream.feed(rest[:read], NOW_NS)
        rest = rest[read:]
    told += stream.feed(rest, NOW_NS)
    check_story(events_in(told + stream.finish(TIMINGS, NOW_NS)[0]))


def check_story(events: list[Any]) -> None:
    """Follow a stream as a client does: each item begins, grows and ends, one after the other."""
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert {event.response.id for event in (*events[:2], events[-1])} == {events[0].response.id}
    story = iter(events[2:-1])
    finished = [item_told(place, event, story) for place, event in enumerate(story)]
    assert finished == items_of(events[-1].response)
    assert len({item["id"] for item in finished}) == len(finished) > 0


LANES = {
    "message": ("response.content_part", "response.output_text"),
    "reasoning": ("response.reasoning_summary_part", "response.reasoning_summary_text"),
}


def item_told(place: int, added: Any, story: Iterator[Any]) -> dict[str, Any]:
    assert (added.type, added.output_index) == ("response.output_item.added", place)
    part, family = LANES.get(added.item.type, ("", "response.function_call_arguments"))
    about, grown, event = [], "", next(story)
    while event.type != "response.output_item.done":
        about.append(event.type)
        assert (event.item_id, event.output_index) == (added.item.id, place)
        grown += getattr(event, "delta", "")
        event = next(story)
    deltas = [f"{family}.delta"] * about.count(f"{family}.delta")
    around = (
        [f"{part}.added", *deltas, f"{family}.done", f"{part}.done"] if part else [*deltas, f"{family}.done"]
    )
    assert about == around
    item: dict[str, Any] = event.item.model_dump(mode="json", exclude_unset=True)
    [said] = item.get("content") or item.get("summary") or [{"text": item.get("arguments")}]
    assert (event.output_index, item["id"], said["text"]) == (place, added.item.id, grown)
    return item


def test_items_come_in_the_order_of_the_answer() -> None:
    told = events_in(streamed(thought("a"), text("b"), thought("c"), text("d"), call(0), end()))
    assert [item["type"] for item in items_of(told[-1].response)] == [
        "reasoning",
        "message",
        "reasoning",
        "message",
        "function_call",
    ]


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("text beside a call", ["completed", "completed"]),
        ("cut by length", ["incomplete"]),
        ("cut behind its calls", ["completed", "completed"]),
        ("filtered", ["incomplete"]),
    ],
)
def test_the_status_of_the_items(name: str, statuses: list[str]) -> None:
    last = events_in(streamed(*ANSWERS[name]))[-1]
    assert [item["status"] for item in items_of(last.response)] == statuses


def test_nothing_is_told_before_there_is_something_to_tell() -> None:
    stream = replay.open_stream(responses.RESPONSES, ask())
    assert stream.feed([reply({"delta": {"role": "assistant", "content": ""}})], NOW_NS) == b""
    begun = stream.feed([reply(call(0, '{"x'))], NOW_NS)
    assert [event.type for event in events_in(begun)] == ["response.created", "response.in_progress"]


def test_the_request_is_shown_again() -> None:
    shown = ask(
        instructions="i",
        metadata={"a": "b"},
        temperature=0.5,
        max_output_tokens=9,
        store=True,
        parallel_tool_calls=False,
        tool_choice={"type": "function", "name": "f"},
        reasoning={"effort": "low"},
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        user="u",
    )
    body, _ = replay.encode_measured(responses.RESPONSES, shown, whole(text("a"), end()), TIMINGS, NOW_NS)
    response = msgspec.json.decode(to_json(body))
    Response.model_validate(response, strict=True)
    expected = {
        "instructions": "i",
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "top_p": 1.0,
        "max_output_tokens": 9,
        "store": False,
        "parallel_tool_calls": False,
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [TOOLS[0] | {"description": None}],
        "reasoning": {"effort": "low", "summary": None},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "user": "u",
        "model": "m",
        "created_at": 1_787_306_400,
        "completed_at": 1_787_306_400,
    }
    assert {name: response[name] for name in expected} == expected


def test_ids_follow_from_time_and_model() -> None:
    def id_at(now_ns: int, model: str) -> str:
        response = replay.encode(responses.RESPONSES, ask(model=model), whole(end()), TIMINGS, now_ns)
        return str(response.id)

    assert id_at(1, "m") == id_at(1, "m")
    assert len({id_at(1, "m"), id_at(2, "m"), id_at(1, "n")}) == 3


def test_a_function_in_a_namespace_is_called_by_its_own_name() -> None:
    group = {"type": "namespace", "name": "n", "description": "d", "tools": TOOLS}
    last = events_in(streamed(call(0, name="n__f"), end(), tools=[group]))[-1]
    [made] = items_of(last.response)
    assert (made["namespace"], made["name"]) == ("n", "f")


def test_probabilities_are_passed_on_complete() -> None:
    entry = {"token": "é", "logprob": -1, "bytes": None, "top_logprobs": [{"token": "e", "logprob": -2.5}]}
    passed = {
        "token": "é",
        "logprob": -1,
        "bytes": [195, 169],
        "top_logprobs": [{"token": "e", "logprob": -2.5, "bytes": [101]}],
    }
    told = events_in(streamed(text("é", logprobs={"content": [entry]}), end()))
    [delta] = [event for event in told if event.type == "response.output_text.delta"]
    [done] = [event for event in told if event.type == "response.output_text.done"]
    assert delta.to_dict()["logprobs"] == done.to_dict()["logprobs"] == [passed]
    assert items_of(told[-1].response)[0]["content"][0]["logprobs"] == [passed]


def test_cached_tokens_are_those_that_the_backend_names() -> None:
    answer = reply(
        {"message": {"content": "a"}, "finish_reason": "stop"}, usage=USAGE, timings={"cache_n": 3}
    )
    body, _ = replay.encode_measured(responses.RESPONSES, ask(), answer, TIMINGS, NOW_NS)
    assert body.usage is not None
    assert body.usage.input_tokens_details.cached_tokens == 3


@pytest.mark.parametrize(
    ("usage", "parts"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, (4, 0)),
        ({"completion_tokens_details": {"reasoning_tokens": 6}}, (0, 6)),
        ({"prompt_cache_hit_tokens": 2, "prompt_cache_miss_tokens": 3}, (2, 0)),
        ({"cached_tokens": 1}, (1, 0)),
        ({"prompt_tokens_details": {"cached_tokens": 99}, "completion_tokens_details": []}, (5, 0)),
        ({"prompt_tokens_details": {"cached_tokens": "4"}, "completion_tokens_details": None}, (0, 0)),
    ],
)
def test_parts_of_the_counts_are_told_as_the_backend_does(usage: Any, parts: tuple[int, int]) -> None:
    answer = reply({"message": {"content": "a"}, "finish_reason": "stop"}, usage={**USAGE, **usage})
    body, _ = replay.encode_measured(responses.RESPONSES, ask(), answer, TIMINGS, NOW_NS)
    assert body.usage is not None
    told = (body.usage.input_tokens_details.cached_tokens, body.usage.output_tokens_details.reasoning_tokens)
    assert told == parts


@pytest.mark.parametrize(
    ("choices", "fault"),
    [([call(0, "{"), end()], AnswerUnusable), ([end("content_filter")], BadRequest)],
)
def test_what_is_no_answer_is_not_shown_as_one(
    choices: list[dict[str, Any]], fault: type[RequestError]
) -> None:
    with pytest.raises(fault):
        replay.encode_measured(responses.RESPONSES, ask(), whole(*choices), TIMINGS, NOW_NS)
    stream = replay.open_stream(responses.RESPONSES, ask())
    told = stream.feed(chunks(*choices), NOW_NS)
    with pytest.raises(fault) as unusable:
        stream.finish(TIMINGS, NOW_NS)
    events = events_in(told + stream.fail(Failure(502, unusable.value.message), "rid"))
    assert "response.completed" not in {event.type for event in events}


@pytest.mark.parametrize(
    ("status", "code"), [(502, "server_error"), (429, "rate_limit_exceeded"), (400, "invalid_prompt")]
)
def test_a_failure_ends_the_stream_with_what_was_said(status: int, code: str) -> None:
    stream = replay.open_stream(responses.RESPONSES, ask())
    told = stream.feed([reply(thought("a")), reply(text("b"))], NOW_NS)
    *_, error, failed = events_in(told + stream.fail(Failure(status, "no more"), "rid"))
    assert (error.type, error.code, error.message) == ("error", code, "no more")
    assert (failed.type, failed.response.status) == ("response.failed", "failed")
    assert (failed.response.error.code, failed.response.error.message) == (code, "no more")
    assert [item["type"] for item in items_of(failed.response)] == ["reasoning", "message"]


def test_a_failure_before_anything_is_an_error_alone() -> None:
    [error] = events_in(replay.open_stream(responses.RESPONSES, ask()).fail(Failure(502, "no"), "rid"))
    assert error.message == "no"
