"""The official Python client where the demo model cannot take it: tools, thinking, images, faults."""

from collections.abc import Iterator
from typing import Any

import ollama
import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts

from .conversation import MESSAGES
from .product import API_KEY, MODELS, Newcomer

MODEL = MODELS[0]
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(24)
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Look at the sky.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
USE_TOOL = [{"role": "user", "content": "use get_weather"}]


@pytest.fixture(scope="module")
def remote(gateway: Newcomer) -> Iterator[ollama.Client]:
    with ollama.Client(host=gateway.url) as client:
        yield client


@pytest.mark.usefixtures("backend")
def test_a_tool_is_called_whole_and_streamed(remote: ollama.Client) -> None:
    whole = remote.chat(MODEL, USE_TOOL, tools=[TOOL])
    parts = list(remote.chat(MODEL, USE_TOOL, tools=[TOOL], stream=True))
    messages = [whole.message, *(part.message for part in parts)]
    calls = [call.function for message in messages for call in message.tool_calls or []]
    assert [call.name for call in calls] == ["get_weather"] * 2
    assert all(isinstance(call.arguments, dict) for call in calls)
    assert (whole.done_reason, parts[-1].done_reason) == ("stop", "stop")


def test_thinking_is_told_apart(remote: ollama.Client, backend: FakeBackend) -> None:
    backend.script(MODEL, scripts.reasoning())
    whole = remote.chat(MODEL, MESSAGES, think=True)
    parts = list(remote.chat(MODEL, MESSAGES, think=True, stream=True))
    assert (whole.message.thinking, whole.message.content) == ("Let me think. ", "Done.")
    assert "".join(part.message.thinking or "" for part in parts) == whole.message.thinking
    assert "".join(part.message.content or "" for part in parts) == whole.message.content


def test_an_image_arrives(remote: ollama.Client, backend: FakeBackend) -> None:
    remote.chat(MODEL, [{"role": "user", "content": "Look.", "images": [PIXEL]}])
    (request,) = backend.wait_requests(path="/chat/completions")
    kinds = [part["type"] for part in request.json["messages"][0]["content"]]
    assert sorted(kinds) == ["image_url", "text"]
    assert "data:image/png;base64," in str(request.json)


def test_a_client_that_leaves_ends_the_call(remote: ollama.Client, backend: FakeBackend) -> None:
    backend.script(MODEL, scripts.tokens(10_000, interval=0.02))
    stream = remote.chat(MODEL, MESSAGES, stream=True)
    assert next(stream).message.content == "token0 "
    stream.close()  # type: ignore[attr-defined]  # a generator, typed as an iterator
    assert backend.wait_aborted(timeout=1.0)[0].chunks_written < 1000


def test_a_stream_that_is_cut_is_an_error(remote: ollama.Client, backend: FakeBackend) -> None:
    backend.script(MODEL, scripts.cut_mid_stream(after=2))
    heard: list[ollama.ChatResponse] = []
    with pytest.raises(ollama.ResponseError) as caught:
        heard.extend(remote.chat(MODEL, MESSAGES, stream=True))
    assert [(part.message.content, part.done) for part in heard] == [("Hello ", False), ("from ", False)]
    assert caught.value.error
    assert API_KEY not in caught.value.error
    backend.script(MODEL, None)
    assert remote.chat(MODEL, MESSAGES).message.content == REPLY_TEXT


def test_a_connection_that_closes_between_two_calls(remote: ollama.Client, backend: FakeBackend) -> None:
    """llama.cpp closes after each stream without a word: the next call must not be lost on its way."""
    backend.script(MODEL, scripts.drop_reused())
    for _ in range(3):
        assert remote.chat(MODEL, MESSAGES).message.content == REPLY_TEXT
    states = [stream.state for stream in backend.streams]
    assert states.count("finished") == 3
    assert states.count("cut") >= 2


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (scripts.status(401), 502),
        (scripts.status(500), 502),
        (scripts.html_200(), 502),
        (scripts.close_without_answer(), 502),
        (scripts.rate_limited(), 429),
        (scripts.status(400), 400),
    ],
    ids=["our key is refused", "broken", "a web page", "no answer", "too many", "a bad request"],
)
def test_a_backend_that_fails(
    remote: ollama.Client, backend: FakeBackend, fault: Script, status: int
) -> None:
    backend.script(MODEL, fault)
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError) as caught:
            list(remote.chat(MODEL, MESSAGES, stream=stream))
        assert caught.value.status_code == status
        assert caught.value.error
        assert API_KEY not in caught.value.error
        assert backend.base_url not in caught.value.error
