"""litellm with a model that calls tools, thinks and looks at pictures, and with some that fail."""

import json
from typing import Any

import litellm
import openai  # its errors are what litellm's are made of
import pytest
from pydantic import BaseModel
from server import ANSWER, MODEL, URL

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}
both = pytest.mark.parametrize("provider", ["ollama", "ollama_chat"])


def call(text: str, provider: str = "ollama_chat", model: str = MODEL, **more: Any) -> dict[str, Any]:
    """Make the arguments of a completion."""
    messages = more.pop("messages", [{"role": "user", "content": text}])
    return {"model": f"{provider}/{model}", "messages": messages, "api_base": URL, "num_retries": 0, **more}


def arguments(message: Any) -> list[tuple[str, Any]]:
    """Give the names and the arguments of the calls in a message."""
    functions = [made.function for made in message.tool_calls]
    return [(function.name, json.loads(function.arguments)) for function in functions]


SUMS = [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})]


async def test_tools_whole_streamed_and_asynchronously() -> None:
    asked = call("What are add(1, 2) and add(3, 4)?", tools=[ADD])
    whole = litellm.completion(**asked)
    assert arguments(whole.choices[0].message) == SUMS
    assert whole.choices[0].finish_reason == "tool_calls"
    chunks = list(litellm.completion(**asked, stream=True))
    # Its `stream_chunk_builder` makes one call of these: it numbers the calls of each line from 0, though
    # Ollama, too, writes each call on a line of its own.
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [made for delta in deltas if delta.tool_calls for made in arguments(delta)] == SUMS
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "tool_calls"
    assert arguments((await litellm.acompletion(**asked)).choices[0].message) == SUMS


def test_a_conversation_with_a_tool() -> None:
    asked = call("What is add(1, 2)?", tools=[ADD])
    message = litellm.completion(**asked).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "3"}
    messages = [*asked["messages"], message.model_dump(), result]
    answer = litellm.completion(**call("", messages=messages, tools=[ADD]))
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].finish_reason == "stop"


@both
def test_thinking_is_told_apart(provider: str) -> None:
    asked = call("Think.", provider, reasoning_effort="low")
    message = litellm.completion(**asked).choices[0].message
    assert (message.reasoning_content, message.content) == ("Let me think. ", ANSWER)
    deltas = [chunk.choices[0].delta for chunk in litellm.completion(**asked, stream=True)]
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert (thought, "".join(delta.content or "" for delta in deltas)) == ("Let me think. ", ANSWER)


@both
def test_an_image_arrives(provider: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
    answer = litellm.completion(**call("", provider, messages=messages))
    assert answer.choices[0].message.content == "I see image/png of 67 bytes."


@both
def test_stop_and_length(provider: str) -> None:
    stopped = litellm.completion(**call("Hello", provider, stop=["fake"])).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("Hello from the ", "stop")
    cut = litellm.completion(**call("Hello", provider, max_tokens=1)).choices[0]
    assert cut.message.content == "Hello "


class Person(BaseModel):
    name: str
    height: float | None = None


class People(BaseModel):
    people: list[Person]


@both
def test_forms(provider: str) -> None:
    answer = litellm.completion(**call("'Alan' is 1.75 m tall.", provider, response_format=People))
    expected = People(people=[Person(name="Alan", height=1.75)])
    assert People.model_validate_json(answer.choices[0].message.content) == expected
    free = call("Give 'name' and 'age' as JSON.", provider, response_format={"type": "json_object"})
    text = litellm.completion(**free).choices[0].message.content
    assert json.loads(text) == {"name": "Paris", "age": "Paris"}


def test_the_models_are_listed_and_described() -> None:
    asked: dict[str, Any] = {"custom_llm_provider": "ollama", "check_provider_endpoint": True}
    assert f"ollama/{MODEL}:latest" in litellm.get_valid_models(**asked, api_base=URL)
    # Of a name that litellm has no entry for, which is left out when the server cannot be understood.
    card = litellm.OllamaConfig().get_model_info("too-many", api_base=URL)
    assert card is not None
    assert "supports_function_calling" in card


FAULTS: dict[str, tuple[type[Exception], str]] = {
    "nobody": (litellm.NotFoundError, "model 'nobody' not found"),
    "bad-request": (litellm.BadRequestError, "Status 400"),
    "refused-key": (litellm.BadGatewayError, ""),
    "too-many": (litellm.RateLimitError, "Rate limit reached"),
    "broken": (litellm.BadGatewayError, ""),
}


@both
@pytest.mark.parametrize("model", FAULTS)
async def test_faults_are_raised(provider: str, model: str) -> None:
    kind, words = FAULTS[model]
    for stream in (False, True):
        with pytest.raises(kind, match=words):
            list(litellm.completion(**call("Hello", provider, model, stream=stream)))
    with pytest.raises(kind, match=words):
        await litellm.acompletion(**call("Hello", provider, model))


@both
def test_a_stream_that_is_cut_is_an_error(provider: str) -> None:
    """Which class it is depends on litellm's way to Ollama; what the server said is in both."""
    heard: list[Any] = []
    with pytest.raises(openai.APIError, match="closed the stream before it finished"):
        heard.extend(litellm.completion(**call("Hello", provider, "cut", stream=True)))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in heard) == "Hello from "
