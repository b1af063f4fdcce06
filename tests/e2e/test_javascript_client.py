"""The official npm client, in Node.js: a script for each scenario, which reports what it saw as JSON."""

import json
import subprocess
from typing import Any

from tests.fake_backend import FakeBackend, scripts

from . import needs
from .conversation import ANSWER, CONTEXT_LENGTH, EMBEDDING_LENGTH, MODEL
from .product import API_KEY, MODELS, Newcomer

SCENARIO_S = 45.0


def run(scenario: str, product: Newcomer, model: str = MODEL) -> Any:
    """Run one script against a server; give its report."""
    command = [needs.node(), f"js/{scenario}.mjs", product.url, model]
    done = subprocess.run(
        command, cwd=needs.HERE, capture_output=True, text=True, timeout=SCENARIO_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{scenario}: {done.stderr}"
    return json.loads(done.stdout)


def assert_streamed(whole: str, parts: list[dict[str, Any]], text: list[str]) -> None:
    """A stream says the same as the whole answer, in several parts, and then that it is done."""
    assert len(parts) > 3
    assert "".join(text) == whole
    assert [part["done"] for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1]["done_reason"] == "stop"
    assert parts[-1]["eval_count"] > 0
    assert parts[-1]["total_duration"] > 0


def test_chat(demo: Newcomer) -> None:
    seen = run("chat", demo)
    whole, parts = seen["whole"]["message"]["content"], seen["parts"]
    assert ANSWER in whole
    assert_streamed(whole, parts, [part["message"]["content"] for part in parts])


def test_generate(demo: Newcomer) -> None:
    seen = run("generate", demo)
    whole, parts = seen["whole"]["response"], seen["parts"]
    assert ANSWER in whole
    assert_streamed(whole, parts, [part["response"] for part in parts])


def test_a_schema_holds(demo: Newcomer) -> None:
    answer = json.loads(run("format", demo)["message"]["content"])
    assert answer.keys() == {"zone", "capital"}
    assert answer["zone"] in ("north", "south")
    assert answer["capital"] in ("Berlin", "Rome", "Paris")


def test_embeddings(demo: Newcomer) -> None:
    seen = run("embed", demo)
    vectors = [*seen["single"]["embeddings"], *seen["batch"]["embeddings"], seen["old"]["embedding"]]
    assert [len(vector) for vector in vectors] == [EMBEDDING_LENGTH] * 4


def test_models(demo: Newcomer) -> None:
    seen = run("models", demo)
    assert MODEL in [model["name"] for model in seen["list"]["models"]]
    (running,) = (model for model in seen["running"]["models"] if model["name"] == MODEL)
    assert running["context_length"] == CONTEXT_LENGTH
    assert "completion" in seen["shown"]["capabilities"]
    assert seen["shown"]["model_info"]["gemma3.context_length"] == CONTEXT_LENGTH


def test_an_unknown_model(demo: Newcomer) -> None:
    seen = run("unknown", demo)
    assert [(error["name"], error["status"]) for error in seen] == [("ResponseError", 404)] * 3
    assert [error["message"] for error in seen] == [
        *["model 'nobody' not found"] * 2,
        "model 'nobody:latest' not found",
    ]


def test_leaving_a_stream_ends_the_call(gateway: Newcomer, backend: FakeBackend) -> None:
    """The script may end as soon as it has left, so the backend is seen to be left by then or soon after."""
    backend.script(MODELS[0], scripts.tokens(10_000, interval=0.02))
    seen = run("abort", gateway, MODELS[0])
    assert seen["heard"][0] == "token0 "
    assert [error["name"] for error in seen["errors"]] == ["AbortError"] * 2
    left = backend.wait_aborted(2, timeout=1.0)
    assert all(stream.chunks_written < 1000 for stream in left)


def test_a_stream_that_is_cut_is_an_error(gateway: Newcomer, backend: FakeBackend) -> None:
    backend.script(MODELS[0], scripts.cut_mid_stream(after=2))
    seen = run("cut", gateway, MODELS[0])
    assert [part["message"]["content"] for part in seen["heard"]] == ["Hello ", "from "]
    assert not any(part["done"] for part in seen["heard"])
    assert seen["error"]["message"]
    assert API_KEY not in json.dumps(seen)
