"""Stop strings beyond what a backend takes end the answer all the same, and its generation."""

from collections.abc import Iterator

import pytest

from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client, text_of

MANY = [f"never {number}" for number in range(6)]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> Iterator[None]:
    factories.mapping("m", factories.backend(fake, dialect="openai"), model="gpt-4o")
    factories.mapping("thinker", factories.backend(fake, "second", dialect="openai"), model="o3")
    fake.script("gpt-4o", scripts.tokens(10_000, interval=0.005))
    fake.script("o3", scripts.tokens(10_000, interval=0.005))
    yield


def test_a_stream_ends_before_the_word_and_the_generation_too(
    client: Client, fake: FakeBackend, ledger: RecordSpy
) -> None:
    answer = client.chat(options={"stop": [*MANY, "ken5"]})
    assert text_of(answer.lines) == "token0 token1 token2 token3 token4 to"
    last = answer.lines[-1]
    assert (last["done"], last["done_reason"], last["eval_count"]) == (True, "stop", 6)
    assert fake.requests[-1].json["stop"] == MANY[:4]
    fake.wait_aborted(timeout=1.0)
    assert [record["outcome"] for record in ledger.wait(1)] == ["ok"]


def test_a_model_that_takes_none_keeps_to_them(client: Client, fake: FakeBackend) -> None:
    answer = client.chat(model="thinker", options={"stop": ["token2"]})
    assert text_of(answer.lines) == "token0 token1 "
    assert "stop" not in fake.requests[-1].json
    fake.wait_aborted(timeout=1.0)


def test_a_generation_and_a_message_do(client: Client, fake: FakeBackend) -> None:
    stops = [*MANY, "token2"]
    generated = client.post("/api/generate", {"model": "m", "prompt": "Hi", "options": {"stop": stops}})
    assert "".join(line["response"] for line in generated.lines) == "token0 token1 "
    said = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    message = client.post("/v1/messages", {**said, "stop_sequences": stops})
    assert [block["text"] for block in message.json["content"]] == ["token0 token1 "]


def test_a_whole_answer_is_cut_and_keeps_its_counts(client: Client, fake: FakeBackend) -> None:
    fake.script("gpt-4o", scripts.saying("one two three four"))
    answer = client.chat(stream=False, options={"stop": [*MANY, "three"]})
    assert answer.json["message"]["content"] == "one two "
    assert answer.json["done_reason"] == "stop"
    assert answer.json["eval_count"] > 0


def test_the_end_of_an_answer_that_only_begins_a_word_is_not_lost(client: Client, fake: FakeBackend) -> None:
    fake.script("gpt-4o", scripts.saying("one two thr"))
    assert text_of(client.chat(options={"stop": [*MANY, "three"]}).lines) == "one two thr"


def test_a_mappings_own_stop_strings_count(client: Client, fake: FakeBackend) -> None:
    backend = factories.backend(fake, "third", dialect="openai")
    factories.mapping("own", backend, model="gpt-4o", options={"stop": [*MANY, "token1"]})
    assert text_of(client.chat(model="own").lines) == "token0 "
