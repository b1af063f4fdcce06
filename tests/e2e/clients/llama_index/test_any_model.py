"""LlamaIndex: complete and chat in all their forms, embeddings, and structured output."""

from typing import Literal

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.llms.ollama import Ollama
from pydantic import BaseModel
from server import ANSWER, EXACT, MODEL, QUESTION, URL, WHERE

CHAT = [ChatMessage(role="system", content="Answer in a word."), ChatMessage(content=QUESTION)]


@pytest.fixture
def llm() -> Ollama:
    return Ollama(**WHERE, temperature=0.0, additional_kwargs=EXACT)


class Capital(BaseModel):
    zone: Literal["north", "south"]
    capital: Literal["Berlin", "Rome", "Paris"]


FORM = PromptTemplate('{question} Answer like {{"city": "Rome", "area": "large"}}')


def test_complete(llm: Ollama) -> None:
    whole = llm.complete(QUESTION)
    assert ANSWER in whole.text
    assert whole.raw["usage"]["total_tokens"] > whole.raw["usage"]["completion_tokens"] > 0
    parts = list(llm.stream_complete(QUESTION))
    assert len(parts) > 2
    assert "".join(part.delta or "" for part in parts) == parts[-1].text == whole.text


async def test_complete_async(llm: Ollama) -> None:
    whole = await llm.acomplete(QUESTION)
    assert ANSWER in whole.text
    parts = [part async for part in await llm.astream_complete(QUESTION)]
    assert "".join(part.delta or "" for part in parts) == parts[-1].text == whole.text


def test_chat(llm: Ollama) -> None:
    whole = llm.chat(CHAT)
    assert whole.message.role.value == "assistant"
    assert ANSWER in (whole.message.content or "")
    parts = list(llm.stream_chat(CHAT))
    assert parts[-1].message.content == whole.message.content
    assert parts[-1].raw["done"] is True
    assert parts[-1].raw["usage"]["completion_tokens"] > 0


async def test_chat_async(llm: Ollama) -> None:
    whole = await llm.achat(CHAT)
    assert ANSWER in (whole.message.content or "")
    parts = [part async for part in await llm.astream_chat(CHAT)]
    assert parts[-1].message.content == whole.message.content


async def test_a_form_is_filled_in() -> None:
    llm = Ollama(**WHERE, temperature=0.0, additional_kwargs=EXACT | {"num_predict": 300})
    whole = llm.structured_predict(Capital, FORM, question=QUESTION)
    assert isinstance(whole, Capital)
    assert await llm.astructured_predict(Capital, FORM, question=QUESTION) == whole
    *_, last = llm.stream_structured_predict(Capital, FORM, question=QUESTION)
    assert last.model_dump() == whole.model_dump()


async def test_embeddings() -> None:
    model = OllamaEmbedding(model_name=MODEL, base_url=URL)
    one = model.get_text_embedding("cat")
    assert len(one) > 1
    both = model.get_text_embedding_batch(["cat", "dog"])
    assert both[0] == pytest.approx(one, abs=1e-3)
    assert both[1] != both[0]
    assert await model.aget_text_embedding("cat") == pytest.approx(one, abs=1e-3)
    assert await model.aget_query_embedding("cat") == pytest.approx(one, abs=1e-3)
    assert len(await model.aget_text_embedding_batch(["cat", "dog", "cow"])) == 3
