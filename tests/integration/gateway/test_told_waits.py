"""A backend that is over its limit: its wait is told to the client, wherever it said it."""

from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script, scripts
from tests.support import factories
from tests.support.raw_http import Client

MESSAGES = [{"role": "user", "content": "hi"}]
CALLS: dict[str, dict[str, Any]] = {
    "/api/chat": {"model": "m", "messages": MESSAGES},
    "/api/generate": {"model": "m", "prompt": "hi", "stream": False},
    "/v1/chat/completions": {"model": "m", "messages": MESSAGES, "stream": True},
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/messages": {"model": "m", "max_tokens": 9, "messages": MESSAGES},
}
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "6.5s"}
EXHAUSTED = {"error": {"code": 429, "message": "exhausted", "details": [RETRY_INFO]}}
LIMITED = {
    "error": {"message": "Rate limit reached. Please try again in 6.8s.", "code": "rate_limit_exceeded"}
}
TOLD: dict[str, Script] = {
    "retryDelay": scripts.status(429, EXHAUSTED),
    "retry-after-ms": scripts.status(429, None, {"retry-after-ms": "6100"}),
    "a reset": scripts.status(
        429,
        None,
        {
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "6.2s",
            "x-ratelimit-reset-requests": "1s",
        },
    ),
    "a sentence": scripts.status(429, LIMITED),
    "an event with 200": scripts.error_event_first(LIMITED),
    "an answer with 200": scripts.json_body(EXHAUSTED),
}


@pytest.mark.parametrize("script", TOLD.values(), ids=TOLD)
@pytest.mark.parametrize("path", CALLS)
def test_the_wait_is_told(
    client: Client, fake: FakeBackend, database: None, path: str, script: Script
) -> None:
    factories.route(fake)
    fake.script("m", script)
    answer = client.post(path, CALLS[path])
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


def test_a_reset_beside_another_failure_is_no_wait(client: Client, fake: FakeBackend, database: None) -> None:
    factories.route(fake)
    fake.script("m", scripts.status(503, None, {"x-ratelimit-reset-requests": "7s"}))
    answer = client.chat()
    assert (answer.status, answer.headers.get("retry-after")) == (503, None)
