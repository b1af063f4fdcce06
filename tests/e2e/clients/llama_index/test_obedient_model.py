"""LlamaIndex with a model that calls tools, thinks and looks at pictures, and with some that fail."""

import base64
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.llms.ollama import Ollama
from ollama import ResponseError
from pydantic import BaseModel
from server import ANSWER, URL, WHERE

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


TOOLS = [FunctionTool.from_defaults(add)]
SUM = {"a": 1, "b": 2}


@pytest.fixture
def llm() -> Ollama:
    return Ollama(**WHERE)


async def test_a_tool_is_called_in_all_forms(llm: Ollama) -> None:
    asked = "What is add(1, 2)?"
    answers = [
        llm.chat_with_tools(TOOLS, asked),
        await llm.achat_with_tools(TOOLS, asked),
        list(llm.stream_chat_with_tools(TOOLS, asked))[-1],
        [part async for part in await llm.astream_chat_with_tools(TOOLS, asked)][-1],
    ]
    calls = [llm.get_tool_calls_from_response(answer) for answer in answers]
    assert [[(call.tool_name, call.tool_kwargs) for call in made] for made in calls] == [[("add", SUM)]] * 4


def test_several_calls_at_once(llm: Ollama) -> None:
    answer = llm.chat_with_tools(TOOLS, "add(1, 2), add(3, 4)", allow_parallel_tool_calls=True)
    calls = llm.get_tool_calls_from_response(answer)
    assert [call.tool_kwargs for call in calls] == [SUM, {"a": 3, "b": 4}]


def test_predict_and_call(llm: Ollama) -> None:
    assert llm.predict_and_call(TOOLS, "What is add(1, 2)?").response == "3"


async def test_an_agent_calls_and_then_talks(llm: Ollama) -> None:
    """With the result of its call in the conversation, in the form that LlamaIndex gives it."""
    results: list[int] = []

    def noted(a: int, b: int) -> int:
        """Add two numbers."""
        results.append(a + b)
        return a + b

    agent = FunctionAgent(tools=[FunctionTool.from_defaults(noted, name="add")], llm=llm)
    answer = await agent.run("What is add(1, 2)?")
    assert (str(answer), results) == (ANSWER, [3])


def test_thinking_is_told_apart() -> None:
    llm = Ollama(**WHERE, thinking=True)
    whole = llm.chat([ChatMessage(content="Think.")])
    kinds = [(block.block_type, getattr(block, "content", None)) for block in whole.message.blocks]
    assert kinds == [("thinking", "Let me think. "), ("text", None)]
    parts = list(llm.stream_chat([ChatMessage(content="Think.")]))
    thought = "".join(part.additional_kwargs["thinking_delta"] or "" for part in parts)
    assert (thought, parts[-1].message.content) == ("Let me think. ", whole.message.content)


def test_an_image_arrives(llm: Ollama) -> None:
    blocks = [TextBlock(text="What is this?"), ImageBlock(image=PNG)]
    answer = llm.chat([ChatMessage(blocks=blocks)])
    assert answer.message.content == f"I see image/png of {len(PNG)} bytes."


def test_json_mode(llm: Ollama) -> None:
    answer = Ollama(**WHERE, json_mode=True).complete("Give 'name' and 'age' as JSON.")
    assert answer.text == '{"name": "Paris", "age": "Paris"}'


class Person(BaseModel):
    name: str
    height: float | None = None


class People(BaseModel):
    people: list[Person]


def test_nested_forms(llm: Ollama) -> None:
    expected = People(people=[Person(name="Alan", height=1.75)])
    prompt = PromptTemplate("{name} is 1.75 m tall.")
    assert llm.structured_predict(People, prompt, name="'Alan'") == expected
    assert llm.as_structured_llm(People).complete("'Alan' is 1.75 m tall.").raw == expected


@pytest.mark.parametrize(
    ("model", "status"),
    [("nobody", 404), ("bad-request", 400), ("refused-key", 502), ("too-many", 429), ("broken", 502)],
)
async def test_faults_are_raised(model: str, status: int) -> None:
    # With a window of its own, it does not ask for the model's card first.
    llm = Ollama(model=model, base_url=URL, context_window=4096)
    calls: list[Any] = [llm.complete, lambda text: list(llm.stream_complete(text))]
    for call in calls:
        with pytest.raises(ResponseError) as caught:
            call("Hello")
        assert caught.value.status_code == status
    with pytest.raises(ResponseError):
        await llm.acomplete("Hello")
    with pytest.raises(ResponseError):
        OllamaEmbedding(model_name="nobody", base_url=URL).get_text_embedding("Hello")


def test_a_stream_that_is_cut_is_an_error() -> None:
    heard = []
    with pytest.raises(ResponseError, match="closed the stream before it finished"):
        heard.extend(Ollama(model="cut", base_url=URL).stream_complete("Hello"))
    assert heard[-1].text == "Hello from "
