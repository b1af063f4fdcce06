"""litellm's two ways to Ollama: `ollama/` is /api/generate, `ollama_chat/` is /api/chat."""

import json
from typing import Any, Literal

import litellm
import pytest
from pydantic import BaseModel
from server import ANSWER, EXACT, MODEL, QUESTION, URL

MESSAGES = [{"role": "user", "content": QUESTION}]

both = pytest.mark.parametrize("provider", ["ollama", "ollama_chat"])


def asked(provider: str, **more: Any) -> dict[str, Any]:
    return {"model": f"{provider}/{MODEL}", "messages": MESSAGES, "api_base": URL, **EXACT, **more}


def text_of(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@both
def test_a_completion(provider: str) -> None:
    whole = litellm.completion(**asked(provider))
    assert ANSWER in whole.choices[0].message.content
    assert whole.choices[0].finish_reason in ("stop", "length")
    assert whole.usage.prompt_tokens > 0
    assert whole.usage.completion_tokens > 0


@both
def test_a_stream(provider: str) -> None:
    whole = litellm.completion(**asked(provider))
    options = {"include_usage": True}
    chunks = list(litellm.completion(**asked(provider, stream=True, stream_options=options)))
    assert len(chunks) > 3
    assert text_of(chunks) == whole.choices[0].message.content
    assert [usage.completion_tokens for chunk in chunks if (usage := getattr(chunk, "usage", None))]
    (finish,) = (choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason)
    assert finish in ("stop", "length")


@both
async def test_asynchronously(provider: str) -> None:
    whole = await litellm.acompletion(**asked(provider))
    assert ANSWER in whole.choices[0].message.content
    stream = await litellm.acompletion(**asked(provider, stream=True))
    assert text_of([chunk async for chunk in stream]) == whole.choices[0].message.content


class Capital(BaseModel):
    zone: Literal["north", "south"]
    capital: Literal["Berlin", "Rome", "Paris"]


@both
def test_a_schema_holds(provider: str) -> None:
    question = f'{QUESTION} Answer like {{"city": "Rome", "area": "large"}}'
    messages = [{"role": "user", "content": question}]
    answer = litellm.completion(**asked(provider, messages=messages, response_format=Capital, max_tokens=300))
    assert Capital.model_validate(json.loads(answer.choices[0].message.content))


async def test_embeddings() -> None:
    call: dict[str, Any] = {"model": f"ollama/{MODEL}", "input": ["cat", "dog"], "api_base": URL}
    whole = litellm.embedding(**call)
    vectors = [row["embedding"] for row in whole.data]
    assert len(vectors) == 2
    assert vectors[0] != vectors[1]
    assert whole.usage.prompt_tokens > 0
    assert (await litellm.aembedding(**call)).data[1]["embedding"] == pytest.approx(vectors[1], abs=1e-3)
