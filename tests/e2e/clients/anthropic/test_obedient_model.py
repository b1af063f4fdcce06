"""Anthropic's own client with a model that calls tools, thinks and looks at pictures, and some that fail."""

from typing import Any, Literal

import anthropic
import pytest
from pydantic import BaseModel
from server import ANSWER, MODEL, URL

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
ADD: Any = {
    "name": "add",
    "description": "Add two numbers.",
    "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
}


@pytest.fixture
def client() -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=URL, api_key="not-needed-here", max_retries=0)


def asked(content: Any, model: str = MODEL, **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 2000, "messages": [{"role": "user", "content": content}], **more}


def calls(message: anthropic.types.Message) -> list[tuple[str, Any]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


SUMS = [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})]


def test_tools_whole_and_streamed(client: anthropic.Anthropic) -> None:
    request = asked("What are add(1, 2) and add(3, 4)?", tools=[ADD])
    whole = client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        streamed = stream.get_final_message()
    assert calls(whole) == calls(streamed) == SUMS
    assert (whole.stop_reason, streamed.stop_reason) == ("tool_use", "tool_use")
    assert pieces
    identities = [block.id for block in whole.content if block.type == "tool_use"]
    assert len(set(identities)) == 2


def test_a_conversation_with_tools(client: anthropic.Anthropic) -> None:
    request = asked("What are add(1, 2) and add(3, 4)?", tools=[ADD])
    called = client.messages.create(**request)
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "3"}
        for block in called.content
        if block.type == "tool_use"
    ]
    turns: list[Any] = [
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": results},
    ]
    request["messages"] += turns
    answer = client.messages.create(**request)
    assert (answer.content[0].text, answer.stop_reason) == (ANSWER, "end_turn")


def test_the_tool_runner(client: anthropic.Anthropic) -> None:
    """The client calls the tool by itself, until the model talks."""
    results = []

    @anthropic.beta_tool
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        results.append(a + b)
        return str(a + b)

    final = client.beta.messages.tool_runner(**asked("What is add(1, 2)?", tools=[add])).until_done()
    assert (final.content[0].text, results) == (ANSWER, [3])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "tool", "name": "add"}, ["add"]),
        ({"type": "any"}, ["other"]),
        ({"type": "none"}, []),
        ({"type": "auto"}, ["other"]),
    ],
)
def test_the_choice_of_tools(client: anthropic.Anthropic, choice: Any, expected: list[str]) -> None:
    other = {"name": "other", "input_schema": {"type": "object", "properties": {}}}
    answer = client.messages.create(**asked("Hello", tools=[other, ADD], tool_choice=choice))
    assert [name for name, _ in calls(answer)] == expected


def test_thinking_is_told_apart(client: anthropic.Anthropic) -> None:
    request = asked("Think.", thinking={"type": "enabled", "budget_tokens": 1024})
    whole = client.messages.create(**request)
    assert [block.type for block in whole.content] == ["thinking", "text"]
    with client.messages.stream(**request) as stream:
        thought = "".join(event.thinking for event in stream if event.type == "thinking")
        streamed = stream.get_final_message()
    assert thought == whole.content[0].thinking == streamed.content[0].thinking == "Let me think. "
    assert whole.content[1].text == streamed.content[1].text == ANSWER
    # What was thought is sent back with the next turn.
    request["messages"] += [
        {"role": "assistant", "content": whole.content},
        {"role": "user", "content": "Hi"},
    ]
    assert client.messages.create(**request).content[-1].text == ANSWER


def test_an_image_arrives(client: anthropic.Anthropic) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    assert client.messages.create(**asked(content)).content[0].text == "I see image/png of 67 bytes."


class Person(BaseModel):
    name: str
    height: float
    kind: Literal["adult", "child"]


def test_a_form_is_filled_in(client: anthropic.Anthropic) -> None:
    answer = client.messages.parse(**asked("'Alan' is 1.75 m tall."), output_format=Person)
    assert answer.parsed_output == Person(name="Alan", height=1.75, kind="adult")


def test_stop_and_length(client: anthropic.Anthropic) -> None:
    stopped = client.messages.create(**asked("echo: one two three", stop_sequences=["three"]))
    assert stopped.content[0].text == "one two "
    assert stopped.stop_reason in ("end_turn", "stop_sequence")
    cut = client.messages.create(**asked("echo: one two three") | {"max_tokens": 1})
    assert (cut.content[0].text, cut.stop_reason) == ("one ", "max_tokens")


FAULTS: dict[str, tuple[type[anthropic.APIStatusError], int, str]] = {
    "nobody": (anthropic.NotFoundError, 404, "not_found_error"),
    "bad-request": (anthropic.BadRequestError, 400, "invalid_request_error"),
    "refused-key": (anthropic.InternalServerError, 502, "api_error"),
    "too-many": (anthropic.RateLimitError, 429, "rate_limit_error"),
    "broken": (anthropic.InternalServerError, 502, "api_error"),
}


@pytest.mark.parametrize("model", FAULTS)
def test_faults_are_raised(client: anthropic.Anthropic, model: str) -> None:
    kind, status, name = FAULTS[model]
    for stream in (False, True):
        with pytest.raises(kind) as caught:
            client.messages.create(**asked("Hello", model), stream=stream)
        assert (caught.value.status_code, caught.value.type) == (status, name)
        assert caught.value.api_message
        assert caught.value.request_id == caught.value.body["request_id"]


def test_a_request_that_is_wrong(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(**asked("Hello") | {"max_tokens": 0})
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="nobody", messages=[{"role": "user", "content": "Hello"}])


def test_a_stream_that_is_cut_is_an_error(client: anthropic.Anthropic) -> None:
    heard: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError, match="closed the stream") as caught,
        client.messages.stream(**asked("Hello", "cut")) as stream,
    ):
        heard.extend(stream.text_stream)
    assert "".join(heard) == "Hello from "
    assert caught.value.type == "api_error"
