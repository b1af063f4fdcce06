"""Anthropic's own client: messages whole, streamed and asynchronously; models and tokens."""

from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from server import ANSWER, MODEL, QUESTION, URL

ASKED: Any = {"model": MODEL, "max_tokens": 30, "messages": [{"role": "user", "content": QUESTION}]}
EXACT: Any = {"extra_body": {"temperature": 0}}
"""Newer clients do not have it as an argument."""


@pytest.fixture
def client() -> Anthropic:
    return Anthropic(base_url=URL, api_key="not-needed-here", max_retries=0)


@pytest.fixture
def eventual() -> AsyncAnthropic:
    return AsyncAnthropic(base_url=URL, api_key="not-needed-here", max_retries=0)


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message(client: Anthropic) -> None:
    message = client.messages.create(**ASKED, **EXACT, system="Answer in a word.")
    assert ANSWER in text_of(message)
    assert (message.type, message.role, message.model) == ("message", "assistant", MODEL)
    assert message.stop_reason in ("end_turn", "max_tokens")
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0


def test_a_stream_of_events(client: Anthropic) -> None:
    kinds = [event.type for event in client.messages.create(**ASKED, **EXACT, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) <= {"content_block_delta", "ping"}
    assert kinds.count("content_block_delta") > 2


def test_the_stream_helper_says_the_same_as_the_whole(client: Anthropic) -> None:
    whole = client.messages.create(**ASKED, **EXACT)
    with client.messages.stream(**ASKED, **EXACT) as stream:
        said = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert said == text_of(message) == text_of(whole)
    assert message.stop_reason == whole.stop_reason
    assert message.usage.output_tokens == whole.usage.output_tokens


async def test_asynchronously(eventual: AsyncAnthropic) -> None:
    whole = await eventual.messages.create(**ASKED, **EXACT)
    assert ANSWER in text_of(whole)
    async with eventual.messages.stream(**ASKED, **EXACT) as stream:
        assert await stream.get_final_text() == text_of(whole)


def test_models_and_tokens(client: Anthropic) -> None:
    assert f"{MODEL}" in [model.id.removesuffix(":latest") for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL
    short = client.messages.count_tokens(model=MODEL, messages=ASKED["messages"])
    long = client.messages.count_tokens(model=MODEL, messages=ASKED["messages"], system="word " * 100)
    assert 0 < short.input_tokens < long.input_tokens
