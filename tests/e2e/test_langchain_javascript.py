"""LangChain.js with its Ollama package, as applications and n8n use it."""

import json
import math
from operator import mul
from typing import Any

from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts

from . import javascript
from .conversation import ANSWER, EMBEDDING_LENGTH, MODEL, Capital
from .product import API_KEY, MODELS, Newcomer


def run(scenario: str, product: Newcomer, model: str = MODEL) -> Any:
    return javascript.run("langchain", scenario, product, model)


def test_chat_whole_and_streamed(demo: Newcomer) -> None:
    seen = run("chat", demo)
    assert ANSWER in seen["whole"]
    assert "".join(seen["parts"]) == seen["whole"]
    assert len(seen["parts"]) > 3
    counts = [[usage[f"{kind}_tokens"] for kind in ("input", "output", "total")] for usage in seen["usage"]]
    assert counts[0] == counts[1]
    assert counts[0][2] > counts[0][0] > 0
    assert seen["done_reason"] == ["stop", "stop"]


def test_structured_output_holds(demo: Newcomer) -> None:
    seen = run("structured", demo)
    Capital.model_validate(seen["zod"])
    Capital.model_validate(seen["form"])
    assert isinstance(json.loads(seen["json"]), dict)


def test_embeddings_and_the_text_model(demo: Newcomer) -> None:
    seen = run("other", demo)
    assert [len(vector) for vector in [seen["query"], *seen["documents"]]] == [EMBEDDING_LENGTH] * 3
    assert math.fsum(map(mul, seen["query"], seen["documents"][0])) > 0.99
    assert ANSWER in seen["whole"]
    assert "".join(seen["parts"]) == seen["whole"]


def test_tools_are_bound_called_and_answered(gateway: Newcomer, backend: FakeBackend) -> None:
    seen = run("tools", gateway, MODELS[0])
    calls = [*seen["called"], *seen["streamed"]]
    assert [(call["name"], call["args"]) for call in calls] == [("get_weather", {"city": "Paris"})] * 2
    assert seen["results"] == ["It rains in Paris."]
    assert (seen["answered"], seen["structured"]) == (REPLY_TEXT, {"city": "Paris"})
    *_, call, result = backend.wait_requests(4, path="/chat/completions")[2].json["messages"]
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]


def test_thoughts_and_an_image(gateway: Newcomer, backend: FakeBackend) -> None:
    backend.script(MODELS[0], scripts.reasoning())
    seen = run("speech", gateway, MODELS[0])
    assert seen["whole"] == [seen["thought"], seen["said"]] == ["Let me think. ", "Done."]
    sent = backend.wait_requests(3, path="/chat/completions")[2].json["messages"]
    assert f"data:image/png;base64,{seen['pixel']}" in str(sent)


def test_faults_are_thrown(gateway: Newcomer, backend: FakeBackend) -> None:
    backend.script_once(MODELS[0], scripts.saying("Here."))
    backend.script(MODELS[0], scripts.cut_mid_stream(after=2))
    seen = run("faults", gateway, MODELS[0])
    assert (seen["unknown"]["message"], seen["unknown"]["status"]) == ("model 'nobody' not found", 404)
    assert seen["pulled"]["message"] == "pull model manifest: file does not exist"
    assert seen["there"] == "Here."
    assert "closed the stream" in seen["cut"]["message"]
    assert API_KEY not in json.dumps(seen)
