"""A backend that counts nothing: counts are estimated, and marked so."""

import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Chunk, Done, Send
from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client

WORDS = ["one ", "two ", "three ", "four"]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _script(usage: Any, *, stream: bool) -> Script:
    counted = {"usage": usage} if usage is not None else {}
    if not stream:
        message = {"role": "assistant", "content": "".join(WORDS)}
        body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **counted}
        return Script([Send(json.dumps(body).encode())])
    said = [Chunk({"choices": [{"index": 0, "delta": {"content": word}}]}) for word in WORDS]
    return Script(
        [*said, Chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **counted}), Done()]
    )


def _figures(client: Client, fake: FakeBackend, usage: Any, *, stream: bool) -> tuple[int, int]:
    fake.script("m", _script(usage, stream=stream))
    answer = client.chat("a prompt of some words", stream=stream)
    last: Any = answer.lines[-1] if stream else answer.json
    return last["prompt_eval_count"], last["eval_count"]


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_a_stream_is_counted_by_its_deltas(
    client: Client, fake: FakeBackend, ledger: RecordSpy, usage: Any
) -> None:
    prompt, completion = _figures(client, fake, usage, stream=True)
    assert (prompt > 0, completion) == (True, len(WORDS))
    (record,) = ledger.wait()
    assert record["estimated"] is True
    assert (record["prompt_tokens"], record["completion_tokens"]) == (prompt, completion)


def test_a_whole_answer_is_counted_by_its_length(client: Client, fake: FakeBackend) -> None:
    prompt, completion = _figures(client, fake, None, stream=False)
    assert prompt > 0
    assert completion == 1 + len("".join(WORDS)) // 4


@pytest.mark.parametrize("stream", [True, False])
def test_what_a_backend_counts_is_told(
    client: Client, fake: FakeBackend, ledger: RecordSpy, stream: bool
) -> None:
    assert _figures(client, fake, {"prompt_tokens": 31, "completion_tokens": 7}, stream=stream) == (31, 7)
    (record,) = ledger.wait()
    assert "estimated" not in record


def test_one_count_that_is_missing_is_estimated(client: Client, fake: FakeBackend) -> None:
    assert _figures(client, fake, {"prompt_tokens": 31}, stream=True) == (31, len(WORDS))


def test_texts_are_counted(client: Client, fake: FakeBackend, ledger: RecordSpy) -> None:
    fake.script("m", Script([Send(b'{"data":[{"index":0,"embedding":[1.0]}]}')]))
    answer = client.post("/api/embed", {"model": "m", "input": "12345678"})
    (record,) = ledger.wait()
    assert (answer.json["prompt_eval_count"], record["estimated"]) == (2, True)


def test_the_account_of_a_whole_answer_tells(client: Client, fake: FakeBackend) -> None:
    fake.script("m", _script(None, stream=False))
    headers = {"X-Llamagate-Trace": "1"}
    answer = client.chat(stream=False, headers=headers)
    assert "estimated" in answer.headers["x-llamagate-trace"]
