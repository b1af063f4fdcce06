"""The Vercel AI SDK with each of its two Ollama providers."""

import json
from typing import Any, Literal, get_args

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts

from . import javascript
from .conversation import ANSWER, EMBEDDING_LENGTH, MODEL, Capital
from .product import API_KEY, MODELS, Newcomer

Provider = Literal["v2", "sdk"]
"""`ollama-ai-provider-v2`, which speaks HTTP itself, or `ai-sdk-ollama`, over the official client."""

pytestmark = pytest.mark.parametrize("provider", get_args(Provider))


def run(scenario: str, provider: Provider, product: Newcomer, model: str = MODEL) -> Any:
    return javascript.run("vercel", scenario, product, model, provider)


def test_text_whole_and_streamed(provider: Provider, demo: Newcomer) -> None:
    seen = run("text", provider, demo)
    assert ANSWER in seen["whole"]
    assert "".join(seen["parts"]) == seen["whole"]
    assert len(seen["parts"]) > 3
    assert seen["usage"][0] == seen["usage"][1]
    assert all(count > 0 for count in seen["usage"][0])
    assert seen["finish"] == ["stop", "stop"]


def test_an_object_keeps_to_its_schema(provider: Provider, demo: Newcomer) -> None:
    seen = run("object", provider, demo)
    Capital.model_validate(seen["object"])
    Capital.model_validate(seen["output"])


def test_embeddings(provider: Provider, demo: Newcomer) -> None:
    seen = run("embed", provider, demo)
    assert [len(vector) for vector in [seen["one"], *seen["many"]]] == [EMBEDDING_LENGTH] * 3
    assert seen["tokens"][1] > seen["tokens"][0] > 0


def test_a_loop_of_tools(provider: Provider, gateway: Newcomer, backend: FakeBackend) -> None:
    seen = run("tools", provider, gateway, MODELS[0])
    for steps in seen["whole"], seen["streamed"]:
        called, answered = steps
        assert called["calls"] == [["get_weather", {"city": "Paris"}]]
        assert called["results"] == ["It rains in Paris."]
        assert (answered["text"], answered["calls"]) == (REPLY_TEXT, [])
    requests = backend.wait_requests(4, path="/chat/completions")
    for request in (requests[1], requests[3]):
        *_, call, result = request.json["messages"]
        assert result["tool_call_id"] == call["tool_calls"][0]["id"]
        assert "It rains in Paris." in result["content"]


def test_thoughts_and_an_image(provider: Provider, gateway: Newcomer, backend: FakeBackend) -> None:
    backend.script(MODELS[0], scripts.reasoning())
    seen = run("speech", provider, gateway, MODELS[0])
    assert seen["whole"] == seen["streamed"] == ["Let me think. ", "Done."]
    sent = backend.wait_requests(3, path="/chat/completions")[2].json["messages"]
    assert f"data:image/png;base64,{seen['pixel']}" in str(sent)


def test_faults_are_told(provider: Provider, gateway: Newcomer, backend: FakeBackend) -> None:
    backend.script_once(MODELS[0], scripts.status(400))
    backend.script(MODELS[0], scripts.cut_mid_stream(after=2))
    seen = run("faults", provider, gateway, MODELS[0])
    assert seen["refused"]["status"] == 400
    assert seen["said"] == "Hello from "
    assert seen.get("finish") != "stop"
    if provider == "sdk":
        assert "closed the stream" in seen["broken"]["message"]
    else:  # it knows no errors in a stream, Ollama's neither: it warns, and says that the end is another
        assert seen["warnings"]
    assert API_KEY not in json.dumps(seen)
