"""Faults read in the code of earlier translators between the two protocols, each as a test named after it.

The first half is of a translator that does most things right, the second of one that promised much.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Reply, scripts
from tests.support import factories
from tests.support.raw_http import Answer, Client, Json, chat_body, text_of

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
A_FEW_NS = 10
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def calls_of(answer: Answer) -> list[Json]:
    """Gather the tool calls of all lines."""
    return [call for line in answer.lines for call in line["message"].get("tool_calls", ())]


def sent(fake: FakeBackend) -> Json:
    """Give the body that the backend got last."""
    return fake.streams[-1].request.json


# A translator that does most things right


def test_streamed_tool_calls_lost_when_the_finish_reason_is_stop(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.tool_calls_finish_stop())
    (call,) = calls_of(client.chat(tools=[WEATHER]))
    assert call["function"] == {"index": 0, "name": "get_weather", "arguments": {"city": "Paris"}}


def test_text_in_the_same_chunk_as_a_tool_call_dropped(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.text_and_tool_in_one_chunk("Let me look."))
    answer = client.chat(tools=[WEATHER])
    assert text_of(answer.lines) == "Let me look."
    assert len(calls_of(answer)) == 1


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_invalid_tool_arguments_turned_into_none_without_a_trace(
    client: Client, fake: FakeBackend, stream: bool
) -> None:
    fake.script("m", scripts.invalid_tool_arguments())
    answer = client.chat(tools=[WEATHER], stream=stream)
    assert "invalid tool call arguments" in answer.error
    assert not any(line.get("done") for line in answer.lines)


def test_ids_of_parallel_calls_of_one_tool_colliding(client: Client, fake: FakeBackend) -> None:
    """The ids that we gave come back with the results, each to its own call."""
    fake.script("m", scripts.parallel_same_tool())
    calls = calls_of(client.chat(tools=[WEATHER]))
    assert [call["function"]["arguments"]["city"] for call in calls] == ["Paris", "Rome"]
    fake.script("m", None)
    turns: list[Json] = [
        {"role": "user", "content": "the weather?"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "rain", "tool_name": "get_weather", "tool_call_id": calls[1]["id"]},
        {"role": "tool", "content": "sun", "tool_name": "get_weather", "tool_call_id": calls[0]["id"]},
    ]
    assert client.post("/api/chat", {"model": "m", "messages": turns}).status == 200
    asked, rome, paris = sent(fake)["messages"][1:]
    assert [call["id"] for call in asked["tool_calls"]] == ["call_0", "call_1"]
    assert (rome["tool_call_id"], rome["content"]) == ("call_1", "rain")
    assert (paris["tool_call_id"], paris["content"]) == ("call_0", "sun")


def test_thinking_switches_sent_to_every_kind_of_backend(client: Client, fake: FakeBackend) -> None:
    switch = {"chat_template_kwargs": {"enable_thinking": False}}
    factories.mapping("on-vllm", factories.backend(fake, "vllm", dialect="vllm"))
    for model, expected in (("m", {}), ("on-vllm", switch)):
        assert client.chat(model=model, think=False).status == 200
        body = sent(fake)
        assert {name: body[name] for name in body if "think" in name or "template" in name} == expected
    assert client.chat(model="on-vllm").status == 200
    assert "chat_template_kwargs" not in sent(fake)


def test_a_truncated_answer_that_looks_complete(client: Client, fake: FakeBackend) -> None:
    for script in (
        scripts.cut_mid_stream(2),
        scripts.cut_mid_stream(2, half_event=True),
        scripts.no_finish(),
    ):
        fake.script("m", script)
        lines = client.chat().lines
        assert list(lines[-1]) == ["error"]
        assert not any(line.get("done") for line in lines)


def test_errors_in_plain_text_without_the_backends_message(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.status(400, {"error": {"message": "temperature must be at most 2"}}))
    answer = client.chat()
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json == {"error": "temperature must be at most 2"}


def test_a_schema_sent_without_its_wrapper(client: Client, fake: FakeBackend) -> None:
    assert client.chat(format=SCHEMA).status == 200
    sent_format = sent(fake)["response_format"]
    assert sent_format["type"] == "json_schema"
    assert sent_format["json_schema"]["schema"] == SCHEMA
    assert sent_format["json_schema"]["name"]


def test_capabilities_and_digest_the_same_for_all_models(client: Client, fake: FakeBackend) -> None:
    backend = factories.backend(fake, "second")
    factories.mapping("text-embedding-3-small", backend)
    factories.mapping("seeing", backend, capabilities=["completion", "vision"])
    tags = {model["name"]: model for model in client.get("/api/tags").json["models"]}
    assert len({model["digest"] for model in tags.values()}) == len(tags) == 3
    assert all(len(model["digest"]) == 64 for model in tags.values())
    shown = {name: client.post("/api/show", {"model": name}).json["capabilities"] for name in tags}
    assert shown["text-embedding-3-small:latest"] == ["embedding"]
    assert shown["seeing:latest"] == ["completion", "vision"]


BLOB = "/api/blobs/sha256:" + "0" * 64
NOT_DONE: list[tuple[str, str, Json]] = [
    ("POST", "/api/pull", {"model": "nobody-has-it"}),
    ("POST", "/api/push", {"model": "m"}),
    ("POST", "/api/create", {"model": "n", "files": {"w.gguf": "sha256:" + "0" * 64}}),
    ("POST", "/api/create", {"model": "n", "from": "nobody-has-it"}),
    ("POST", "/api/copy", {"source": "nobody-has-it", "destination": "n"}),
    ("DELETE", "/api/delete", {"model": "nobody-has-it"}),
    ("POST", BLOB, {}),
]


@pytest.mark.parametrize(("method", "path", "body"), NOT_DONE)
def test_success_claimed_for_what_was_not_done(client: Client, method: str, path: str, body: Json) -> None:
    before = client.get("/api/tags").json
    answer = client.call(method, path, body)
    assert b'"error"' in answer.body
    assert b"success" not in answer.body
    assert client.get("/api/tags").json == before


def test_a_503_retried_for_minutes_before_the_client_hears_anything(
    client: Client, fake: FakeBackend
) -> None:
    fake.script("m", scripts.status(503, {"error": {"message": "loading"}}, {"retry-after": "20"}))
    start = time.monotonic()
    answer = client.chat()
    assert time.monotonic() - start < 1.0
    assert (answer.status, answer.headers["retry-after"]) == (503, "20")
    assert len(fake.streams) == 1


# One that promised much


def test_streamed_chat_that_says_response_instead_of_message(client: Client) -> None:
    lines = client.chat().lines
    assert all("message" in line and "response" not in line for line in lines)
    generated = client.post("/api/generate", {"model": "m", "prompt": "hi"}).lines
    assert all("response" in line and "message" not in line for line in generated)


def test_two_final_lines(client: Client) -> None:
    """One at the finish reason, another at `[DONE]`."""
    assert [line["done"] for line in client.chat().lines].count(True) == 1


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_chunks_split_by_network_read(client: Client, fake: FakeBackend, cut: int) -> None:
    """A line cut in two was dropped, a character cut in two raised."""
    fake.script("m", scripts.odd_chunking(cut))
    assert text_of(client.chat("echo: Grüße, 世界 😀").lines) == "Grüße, 世界 😀"


def test_a_retry_after_text_was_sent(client: Client, fake: FakeBackend) -> None:
    with FakeBackend() as second:
        factories.mapping("two", factories.backend(fake, "first"), factories.backend(second, "second"))
        fake.script("two", scripts.cut_mid_stream(2))
        answer = client.chat(model="two")
        assert text_of(answer.lines[:-1]) == "Hello from "
        assert (len(fake.streams), second.requests) == (1, [])


def test_streamed_tool_calls_as_fragments_of_text(client: Client, fake: FakeBackend) -> None:
    answer = client.chat('use get_weather {"city": "Oslo"}', tools=[WEATHER])
    (call,) = calls_of(answer)
    assert call["function"]["arguments"] == {"city": "Oslo"}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_no_usage_and_invented_durations(client: Client, fake: FakeBackend, stream: bool) -> None:
    fake.script("m", scripts.slow_first_token(0.3))
    end = client.chat("one two three", stream=stream).lines[-1]
    assert (end["prompt_eval_count"], end["eval_count"]) == (3, 5)
    assert 300e6 < end["total_duration"] < 3e9
    assert 0 < end["load_duration"] < end["total_duration"]
    parts = end["load_duration"] + end["prompt_eval_duration"] + end["eval_duration"]
    assert parts <= end["total_duration"] + A_FEW_NS  # what is known is never 0


def test_think_format_and_keep_alive_read_and_ignored(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.reasoning())
    answer = client.chat(think=True, format="json", keep_alive="10m")
    assert "".join(line["message"].get("thinking", "") for line in answer.lines) == "Let me think. "
    assert text_of(answer.lines) == "Done."
    assert sent(fake)["response_format"] == {"type": "json_object"}
    assert [model["name"] for model in client.get("/api/ps").json["models"]] == ["m:latest"]
    unloaded = client.post("/api/chat", {"model": "m", "keep_alive": 0}).json
    assert (unloaded["done_reason"], client.get("/api/ps").json["models"]) == ("unload", [])
    assert client.chat(think="a lot").status == 400


def test_show_that_invents_and_a_version_that_is_too_old(client: Client, fake: FakeBackend) -> None:
    fake.models = ({"id": "m", "max_model_len": 8192},)
    shown = client.post("/api/show", {"model": "m"}).json
    assert "completion" in shown["capabilities"]
    # What Ollama itself shows of a model that has none of its own.
    assert (".Tools" in shown["template"], shown["parameters"]) == (True, "")
    lengths = [value for name, value in shown["model_info"].items() if name.endswith(".context_length")]
    assert lengths == [8192]
    numbers = [int(part) for part in client.get("/api/version").json["version"].split(".")]
    assert numbers >= [0, 17, 6]


def test_a_client_and_a_model_list_for_each_show_request(client: Client, fake: FakeBackend) -> None:
    for _ in range(5):
        client.post("/api/show", {"model": "m"})
        client.get("/api/tags")
        client.chat()
        client.chat(stream=False)
    listed = [request for request in fake.requests if request.path.endswith("/models")]
    assert len(listed) == 1
    assert {request.connection for request in fake.requests} == {1}


@pytest.fixture
def bad() -> Iterator[FakeBackend]:
    """A backend that only fails."""
    with FakeBackend() as backend:
        backend.script("*", scripts.status(500))
        yield backend


def test_one_bad_backend_that_stops_them_all(
    client: Client, fake: FakeBackend, bad: FakeBackend, change: Change
) -> None:
    change(first_token_timeout_s=5.0)
    factories.mapping("failing", factories.backend(bad, "bad"))
    factories.mapping("silent", factories.backend(bad, "silent-one"))
    bad.script("silent", scripts.silent())
    with client.open_chat(model="silent"):
        assert {client.chat(model="failing").status for _ in range(20)} == {502}
        start = time.monotonic()
        assert text_of(client.chat().lines) == REPLY_TEXT
        assert time.monotonic() - start < 1.0


def test_a_stream_whose_connection_was_closed_before_it_was_read(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.tokens(40, interval=0.01))
    assert text_of(client.chat().lines) == scripts.token_text(40)


def test_legacy_completions_forwarded_to_chat(client: Client, fake: FakeBackend) -> None:
    answer = client.post("/v1/completions", {"model": "m", "prompt": "hi"})
    assert answer.status == 200
    assert fake.requests[-1].path == "/v1/completions"
    assert fake.requests[-1].json["prompt"] == "hi"


def test_no_client_authentication(client: Client, fake: FakeBackend, change: Change) -> None:
    change(require_key_on_loopback=True)
    assert client.post("/api/chat", chat_body()).status == 401
    assert fake.requests == []
    _, secret = factories.key(factories.team())
    assert client.chat(headers={"Authorization": f"Bearer {secret}"}).status == 200


def test_long_numbers_in_tool_arguments_kept(client: Client, fake: FakeBackend) -> None:
    """Not of the list, but of its kind: arguments pass as they were written."""
    call: Any = {
        "index": 0,
        "id": "c",
        "function": {"name": "f", "arguments": '{"n": 12345678901234567890123}'},
    }
    fake.script("m", scripts.saying(Reply(({"tool_calls": [call]},), "tool_calls")))
    assert b'{"n":12345678901234567890123}' in client.chat(tools=[WEATHER]).body


def test_a_model_in_use_tells_its_lengths_even_when_they_are_unknown(
    client: Client, fake: FakeBackend
) -> None:
    """Ollama always sends them, and `ollama launch` reads them."""
    client.chat()
    (entry,) = client.get("/api/ps").json["models"]
    assert (entry["context_length"], type(entry["size_vram"])) == (0, int)
