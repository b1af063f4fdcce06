"""Another Llamagate, or an Ollama, as a backend: through its own API, and nothing is lost on the way.

The product is its own backend here: `outer` leads to itself under the name `m`, and `m` to the fake.
"""

from typing import Any

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Answer, Client, Json, text_of

TOOL: Json = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}
PASSING = ("created_at", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
"""What time decides."""


@pytest.fixture(autouse=True)
def _two_hops(database: None, client: Client, fake: FakeBackend) -> None:
    factories.route(fake, model="theirs")
    itself = factories.backend(f"http://127.0.0.1:{client.port}/v1", "itself", dialect="ollama")
    factories.mapping("outer", itself, model="m")


def ask(client: Client, model: str, path: str = "/api/chat", **fields: Any) -> Answer:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    if path != "/api/chat":
        del body["messages"]
    return client.post(path, body)


def lasting(lines: list[Json]) -> list[Json]:
    """Give lines without what time decides, and under one name."""
    return [
        {name: value for name, value in line.items() if name not in PASSING} | {"model": "any"}
        for line in lines
    ]


CALLS: dict[str, Json] = {
    "plain": {},
    "whole": {"stream": False},
    "a tool": {
        "messages": [{"role": "user", "content": 'use add {"a": 12345678901234567890}'}],
        "tools": [TOOL],
    },
    "a tool, whole": {
        "messages": [{"role": "user", "content": 'use add {"a": 1}'}],
        "tools": [TOOL],
        "stream": False,
    },
    "a result": {
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "x1", "function": {"name": "add", "arguments": {"a": 1}}}],
            },
            {"role": "tool", "tool_name": "add", "content": "2"},
        ]
    },
    "options and a schema": {
        "options": {"temperature": 0.5, "num_predict": 9, "stop": ["z"], "num_ctx": 512},
        "format": {"type": "object"},
        "keep_alive": "7m",
    },
    "an image": {"messages": [{"role": "user", "content": "what?", "images": ["iVBORw0KGgo="]}]},
    "log probabilities": {"logprobs": True, "top_logprobs": 2},
}


@pytest.mark.parametrize("name", CALLS)
def test_a_chat_is_the_same_over_two_hops(client: Client, fake: FakeBackend, name: str) -> None:
    direct, over = ask(client, "m", **CALLS[name]), ask(client, "outer", **CALLS[name])
    assert (direct.status, over.status) == (200, 200)
    first, second = fake.wait_requests(2, path="/chat/completions")
    assert first.json == second.json, "the backend is asked the same"
    lines = [
        [answer.json] if CALLS[name].get("stream") is False else answer.lines for answer in (direct, over)
    ]
    for call in (
        call for answer in lines for line in answer for call in line["message"].get("tool_calls", ())
    ):
        call["id"] = "any"  # the fake counts
    assert lasting(lines[0]) == lasting(lines[1])


def test_thinking_and_durations_come_through(client: Client, fake: FakeBackend) -> None:
    fake.script("theirs", scripts.reasoning(thought="hm", text="Yes."))
    lines = ask(client, "outer", think=True).lines
    assert "".join(line["message"].get("thinking", "") for line in lines) == "hm"
    assert text_of(lines) == "Yes."
    assert lines[-1]["eval_duration"] > 0
    assert (lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]) != (0, 0)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("more", [{}, {"raw": True}, {"system": "Be kind."}])
def test_a_generation_goes_through(client: Client, fake: FakeBackend, stream: bool, more: Json) -> None:
    answer = ask(client, "outer", "/api/generate", prompt="hi", stream=stream, **more)
    lines = answer.lines if stream else [answer.json]
    assert "".join(line["response"] for line in lines) == REPLY_TEXT
    assert lines[-1]["done_reason"] == "stop"
    assert fake.requests[-1].path == ("/v1/completions" if "raw" in more else "/v1/chat/completions")


def test_embeddings_go_through(client: Client) -> None:
    texts = [f"text {number}" for number in range(300)]
    direct = ask(client, "m", "/api/embed", input=texts, dimensions=3).json
    over = ask(client, "outer", "/api/embed", input=texts, dimensions=3).json
    assert len(over["embeddings"]) == 300
    assert over["embeddings"] == direct["embeddings"]
    assert over["prompt_eval_count"] == direct["prompt_eval_count"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_the_other_faces_go_through_its_own(client: Client, path: str) -> None:
    body = {"model": "outer", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 30}
    answer = client.post(path, body)
    assert (answer.status, answer.json["model"]) == (200, "outer")
    assert REPLY_TEXT in answer.text


@pytest.mark.parametrize("stream", [True, False])
def test_a_refusal_keeps_its_status_and_words(client: Client, fake: FakeBackend, stream: bool) -> None:
    fake.script("theirs", scripts.status(400, "too warm"))
    answer = ask(client, "outer", stream=stream)
    assert (answer.status, answer.error) == (400, "too warm")


def test_a_cut_is_told_and_never_done(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script("theirs", scripts.cut_mid_stream(2))
    answer = ask(client, "outer")
    assert list(answer.lines[-1]) == ["error"]
    assert not any(line.get("done") for line in answer.lines)
    assert [record["outcome"] for record in ledger.wait(2)] == ["error", "error"]


def test_leaving_ends_all_of_it(client: Client, fake: FakeBackend) -> None:
    fake.script("theirs", scripts.stall_mid_stream(1))
    with client.open(
        "POST", "/api/chat", {"model": "outer", "messages": [{"role": "user", "content": "x"}]}
    ) as asked:
        next(asked.answer_lines())
    fake.wait_aborted(timeout=1.0)


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
def test_a_load_and_an_unload_are_told_on(client: Client, fake: FakeBackend, path: str) -> None:
    loaded = client.post(path, {"model": "outer", "keep_alive": "7m", "options": {"num_ctx": 512}})
    assert (loaded.status, loaded.json["done_reason"]) == (200, "load")
    assert {model["name"] for model in client.get("/api/ps").json["models"]} == {"outer:latest", "m:latest"}
    unloaded = client.post(path, {"model": "outer", "keep_alive": 0})
    assert (unloaded.status, unloaded.json["done_reason"]) == (200, "unload")
    assert client.get("/api/ps").json["models"] == []
    assert not [seen for seen in fake.requests if seen.method == "POST"]


def test_a_load_that_fails_is_told(client: Client) -> None:
    itself = factories.backend(f"http://127.0.0.1:{client.port}/v1", "again", dialect="ollama")
    factories.mapping("astray", itself, model="nobody-knows")
    answer = client.post("/api/generate", {"model": "astray"})
    assert (answer.status, "not found" in answer.error) == (404, True)
    assert client.get("/api/ps").json["models"] == []
