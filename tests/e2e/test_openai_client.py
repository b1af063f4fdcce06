"""The official OpenAI client on the same port: chat, tools, embeddings, models, responses, faults."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts

from .product import MODELS, Newcomer

MODEL = MODELS[0]
HELLO: Any = [{"role": "user", "content": "hello"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def remote(gateway: Newcomer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="not-needed-here", max_retries=0) as client:
        yield client


@pytest.mark.usefixtures("backend")
def test_a_chat_whole_and_streamed(remote: openai.OpenAI) -> None:
    whole = remote.chat.completions.create(model=MODEL, messages=HELLO)
    assert (whole.choices[0].message.content, whole.model) == (REPLY_TEXT, MODEL)
    assert whole.usage is not None
    chunks = list(
        remote.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert (said, chunks[-1].usage) == (REPLY_TEXT, whole.usage)


@pytest.mark.usefixtures("backend")
def test_a_tool_is_called(remote: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "use get_weather"}]
    answer = remote.chat.completions.create(model=MODEL, messages=asked, tools=[TOOL])
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == ["get_weather"]


def test_the_body_reaches_the_backend_whole(remote: openai.OpenAI, backend: FakeBackend) -> None:
    remote.chat.completions.create(model=MODEL, messages=HELLO, seed=7, extra_body={"made_up": {"a": [1]}})
    assert backend.requests[-1].json["made_up"] == {"a": [1]}
    assert backend.requests[-1].json["seed"] == 7


@pytest.mark.usefixtures("backend")
def test_embeddings_models_and_a_completion(remote: openai.OpenAI) -> None:
    assert len(remote.embeddings.create(model=MODEL, input=["a", "b"]).data) == 2
    assert f"{MODEL}:latest" in [model.id for model in remote.models.list()]
    assert remote.models.retrieve(MODEL).id == MODEL
    assert remote.completions.create(model=MODEL, prompt="hello").choices[0].text


@pytest.mark.usefixtures("backend")
def test_a_response_whole_and_streamed(remote: openai.OpenAI) -> None:
    assert remote.responses.create(model=MODEL, input="hello").output_text == REPLY_TEXT
    with remote.responses.stream(model=MODEL, input="hello") as events:
        assert events.get_final_response().output_text == REPLY_TEXT


def test_faults_are_raised(remote: openai.OpenAI, backend: FakeBackend) -> None:
    with pytest.raises(openai.NotFoundError, match="model 'nobody-has-it' not found"):
        remote.chat.completions.create(model="nobody-has-it", messages=HELLO)
    backend.script(MODEL, scripts.cut_mid_stream(after=2))
    with pytest.raises(openai.APIError, match="closed the stream"):
        list(remote.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
