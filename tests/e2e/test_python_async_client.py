"""The official asynchronous Python client against the real model."""

import asyncio
from collections.abc import AsyncIterator

import ollama
import pytest

from .conversation import (
    ANSWER,
    EMBEDDING_LENGTH,
    FORM_OPTIONS,
    FORM_QUESTION,
    MESSAGES,
    MODEL,
    QUESTION,
    Capital,
    exact,
)
from .product import Newcomer


@pytest.fixture
async def local(demo: Newcomer) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=demo.url) as client:
        yield client


async def test_chat_whole_and_streamed(local: ollama.AsyncClient) -> None:
    whole = await local.chat(MODEL, MESSAGES, options=exact())
    assert ANSWER in (whole.message.content or "")
    parts = [part async for part in await local.chat(MODEL, MESSAGES, options=exact(), stream=True)]
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]


async def test_generate_whole_and_streamed(local: ollama.AsyncClient) -> None:
    whole = await local.generate(MODEL, QUESTION, options=exact())
    assert ANSWER in (whole.response or "")
    parts = [part async for part in await local.generate(MODEL, QUESTION, options=exact(), stream=True)]
    assert "".join(part.response or "" for part in parts) == whole.response
    assert parts[-1].done_reason == "stop"


async def test_a_schema_holds(local: ollama.AsyncClient) -> None:
    messages = [{"role": "user", "content": FORM_QUESTION}]
    answer = await local.chat(MODEL, messages, format=Capital.model_json_schema(), options=FORM_OPTIONS)
    Capital.model_validate_json(answer.message.content or "")


async def test_embeddings(local: ollama.AsyncClient) -> None:
    batch = await local.embed(MODEL, ["one", "two"])
    old = await local.embeddings(MODEL, "one")
    assert [len(vector) for vector in [*batch.embeddings, old.embedding]] == [EMBEDDING_LENGTH] * 3


async def test_models(local: ollama.AsyncClient) -> None:
    await local.generate(MODEL, QUESTION, options=exact(1))
    listed, running, shown = await asyncio.gather(local.list(), local.ps(), local.show(MODEL))
    assert MODEL in [model.model for model in listed.models]
    assert MODEL in [model.model for model in running.models]
    assert "completion" in (shown.capabilities or [])


async def test_an_unknown_model(local: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'nobody' not found") as whole:
        await local.chat("nobody", MESSAGES)
    with pytest.raises(ollama.ResponseError, match="model 'nobody' not found") as streamed:
        async for _ in await local.chat("nobody", MESSAGES, stream=True):
            pass
    assert (whole.value.status_code, streamed.value.status_code) == (404, 404)


async def test_many_at_once(local: ollama.AsyncClient) -> None:
    """More than the model has slots for: they wait, and all are answered."""
    answers = await asyncio.gather(*(local.chat(MODEL, MESSAGES, options=exact(8)) for _ in range(5)))
    assert all(ANSWER in (answer.message.content or "") for answer in answers)
