"""Why a backend ended its answer, in whatever words it says so: over the socket, whole and streamed."""

import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Chunk, Done, Send
from tests.support import factories
from tests.support.raw_http import Answer, Client

ASKED = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _answer(reason: str, text: str, *, stream: bool) -> Script:
    choice = {"index": 0, "finish_reason": reason}
    if not stream:
        body = {"choices": [{**choice, "message": {"role": "assistant", "content": text}}]}
        return Script([Send(json.dumps(body).encode())])
    said = [Chunk({"choices": [{"index": 0, "delta": {"content": text}}]})] if text else []
    return Script([*said, Chunk({"choices": [{**choice, "delta": {}}]}), Done()])


def _ask(client: Client, fake: FakeBackend, path: str, reason: str, text: str, *, stream: bool) -> Answer:
    fake.script("m", _answer(reason, text, stream=stream))
    return client.post(path, {**ASKED, "stream": stream})


@STREAMED
@pytest.mark.parametrize(("reason", "told"), [("MAX_TOKENS", "length"), ("STOP", "stop"), ("OTHER", "stop")])
def test_words_are_the_same_in_any_case(
    client: Client, fake: FakeBackend, reason: str, told: str, stream: bool
) -> None:
    answer = _ask(client, fake, "/api/chat", reason, "a", stream=stream)
    last: Any = answer.lines[-1] if stream else answer.json
    assert (last["done"], last["done_reason"]) == (True, told)


@STREAMED
@pytest.mark.parametrize(
    ("reason", "told"),
    [("MAX_TOKENS", "length"), ("eos", "stop"), ("function_call_filter: X", "content_filter")],
)
def test_openais_clients_hear_openais_words(
    client: Client, fake: FakeBackend, reason: str, told: str, stream: bool
) -> None:
    answer = _ask(client, fake, "/v1/chat/completions", reason, "a", stream=stream)
    assert f'"finish_reason":"{told}"'.encode() in answer.body.replace(b" ", b"")
    assert reason.encode() not in answer.body


@STREAMED
@pytest.mark.parametrize("path", ["/api/chat", "/v1/messages", "/v1/chat/completions"])
def test_an_unknown_end_without_a_word_is_a_failure(
    client: Client, fake: FakeBackend, path: str, stream: bool
) -> None:
    assert _ask(client, fake, path, "MODEL_ARMOR", "", stream=stream).status == 502


@STREAMED
def test_then_another_backend_is_asked(
    client: Client, fake: FakeBackend, second: FakeBackend, stream: bool
) -> None:
    factories.mapping("two", factories.backend(fake, "first"), factories.backend(second, "second"))
    fake.script("two", _answer("MODEL_ARMOR", "", stream=stream))
    assert client.chat(model="two", stream=stream).status == 200
    assert second.requests


@STREAMED
def test_a_filter_that_kept_back_all_is_told(client: Client, fake: FakeBackend, stream: bool) -> None:
    reason = "function_call_filter: MALFORMED_FUNCTION_CALL"
    answer = _ask(client, fake, "/api/chat", reason, "", stream=stream)
    assert (answer.status, "content filter" in answer.error) == (400, True)
