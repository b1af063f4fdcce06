"""LangChain's standard tests as they stand, and what they leave open."""

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests
from ollama import ResponseError
from pydantic import BaseModel
from server import MODEL, WHERE


class TestStandard(ChatModelIntegrationTests):
    """What ChatOllama can do is said as its own repository says it."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOllama

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return WHERE

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def has_tool_choice(self) -> bool:
        return False

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return f"{MODEL}:latest"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_a_conversation_with_two_calls_of_a_tool() -> None:
    model = ChatOllama(**WHERE).bind_tools([add])
    asked = HumanMessage("What are add(1, 2) and add(3, 4)?")
    called = model.invoke([asked])
    parts = [part for part in model.stream([asked]) if isinstance(part, AIMessageChunk)]
    streamed = sum(parts[1:], start=parts[0])
    assert isinstance(called, AIMessage)
    for message in (called, streamed):
        assert [call["args"] for call in message.tool_calls] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    results = [ToolMessage(str(add(**call["args"])), tool_call_id=call["id"]) for call in called.tool_calls]
    assert model.invoke([asked, called, *results]).text


def test_thinking_is_told_apart() -> None:
    model = ChatOllama(**WHERE, reasoning=True)
    answer = model.invoke("Think.")
    assert answer.additional_kwargs["reasoning_content"] == "Let me think. "
    parts = list(model.stream("Think."))
    thought = "".join(part.additional_kwargs.get("reasoning_content", "") for part in parts)
    assert (thought, "".join(part.text for part in parts)) == ("Let me think. ", answer.text)


def test_an_image_arrives() -> None:
    """The standard test only sees that it is not refused."""
    image = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    message = HumanMessage([{"type": "text", "text": "What is this?"}, image])
    assert "of 3 bytes" in ChatOllama(**WHERE).invoke([message]).text


def test_stop_and_length() -> None:
    model = ChatOllama(**WHERE)
    stopped = model.invoke("echo: one two three", stop=["three"])
    assert (stopped.text, stopped.response_metadata["done_reason"]) == ("one two ", "stop")
    cut = ChatOllama(**WHERE, num_predict=1).invoke("echo: one two three")
    assert (cut.text, cut.response_metadata["done_reason"]) == ("one ", "length")


class Person(BaseModel):
    name: str
    height: float | None = None


class People(BaseModel):
    people: list[Person]


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_nested_forms(method: Any) -> None:
    form = ChatOllama(**WHERE).with_structured_output(People, method=method)
    expected = People(people=[Person(name="Alan", height=1.75)])
    assert form.invoke("'Alan' is 1.75 m tall.") == expected
    *_, last = form.stream("'Alan' is 1.75 m tall.")
    assert last == expected


@pytest.mark.parametrize(
    ("model", "status"),
    [("nobody", 404), ("bad-request", 400), ("refused-key", 502), ("too-many", 429), ("broken", 502)],
)
def test_faults_are_raised(model: str, status: int) -> None:
    failing = ChatOllama(**WHERE | {"model": model})
    for call in (failing.invoke, lambda text: list(failing.stream(text))):
        with pytest.raises(ResponseError) as caught:
            call("Hello")
        assert caught.value.status_code == status
    with pytest.raises(ResponseError):
        OllamaEmbeddings(**WHERE | {"model": "nobody"}).embed_query("Hello")


def test_a_stream_that_is_cut_is_an_error() -> None:
    heard: list[str] = []
    with pytest.raises(ResponseError, match="closed the stream before it finished"):
        heard.extend(part.text for part in ChatOllama(**WHERE | {"model": "cut"}).stream("Hello"))
    assert "".join(heard) == "Hello from "
