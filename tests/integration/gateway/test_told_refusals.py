"""A backend's refusal, however it is told: one plain sentence for people, the words for programs."""

import gzip
import json
from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.raw_http import Client

SENTENCE = "the colour is not one of ours"
INNER = {"error": {"message": SENTENCE, "code": "bad_colour", "param": "colour"}}
FLAT = {"code": "bad_colour", "param": "colour", "message": SENTENCE}
MESSAGES = [{"role": "user", "content": "hi"}]
CALLS: dict[str, dict[str, Any]] = {
    "/api/chat": {"model": "m", "messages": MESSAGES},
    "/api/generate": {"model": "m", "prompt": "hi", "stream": False},
    "/v1/chat/completions": {"model": "m", "messages": MESSAGES},
    "/v1/chat/completions streamed": {"model": "m", "messages": MESSAGES, "stream": True},
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/messages": {"model": "m", "max_tokens": 9, "messages": MESSAGES},
}
TOLD: dict[str, Script] = {
    "flat": scripts.status(400, FLAT),
    "errors": scripts.status(400, {"errors": [FLAT]}),
    "JSON in the sentence": scripts.status(400, {"error": {"message": json.dumps(INNER)}}),
    "capitals": scripts.status(
        400, {"Error": {"Message": SENTENCE, "Code": "bad_colour", "Param": "colour"}}
    ),
    "compressed": Script(
        [Send(gzip.compress(json.dumps(INNER).encode()))],
        status=400,
        headers={"content-type": "application/json", "content-encoding": "gzip"},
    ),
}
TOLD_WITH_200: dict[str, Script] = {
    "the error": scripts.json_body(
        {"error": {**INNER["error"], "type": "invalid_request_error", "status": 400}}
    ),
    "flat": scripts.json_body({**FLAT, "status": 400}),
    "MiniMax": scripts.json_body(
        {"choices": None, "base_resp": {"status_code": 2013, "status_msg": SENTENCE}, **FLAT}
    ),
}


def sentence_in(told: Any) -> str:
    error = told["error"]
    return str(error["message"] if isinstance(error, dict) else error)


@pytest.mark.parametrize(
    "script",
    [*TOLD.values(), *TOLD_WITH_200.values()],
    ids=[*TOLD, *(f"{name} with 200" for name in TOLD_WITH_200)],
)
@pytest.mark.parametrize("path", CALLS)
def test_the_client_reads_the_sentence(
    client: Client, fake: FakeBackend, database: None, path: str, script: Script
) -> None:
    factories.route(fake)
    fake.script("m", script)
    answer = client.post(path.split()[0], CALLS[path])
    assert answer.status == 400, answer.text
    assert sentence_in(answer.json) == SENTENCE
    if "/v1/chat" in path:
        assert (answer.json["error"]["code"], answer.json["error"]["param"]) == ("bad_colour", "colour")


@pytest.mark.parametrize("path", CALLS)
def test_a_balance_that_is_used_up_is_passed_over_with_200(
    client: Client, fake: FakeBackend, second: FakeBackend, database: None, path: str
) -> None:
    factories.mapping("m", factories.backend(fake, "first"), factories.backend(second, "second"))
    fake.script(
        "m", scripts.json_body({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}})
    )
    assert client.post(path.split()[0], CALLS[path]).status == 200
    assert len(second.requests) == 1


EVENTS = {
    "flat": {**FLAT, "status": 400},
    "MiniMax": {"choices": None, "base_resp": {"status_code": 2013, "status_msg": SENTENCE}},
}


@pytest.mark.parametrize("passes", [False, True], ids=["translated", "passed"])
@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
@pytest.mark.parametrize("path", CALLS)
def test_an_event_that_is_a_refusal_is_one(
    client: Client, fake: FakeBackend, database: None, path: str, event: Any, passes: bool
) -> None:
    fields = {"has_messages_api": True, "has_responses_api": True} if passes else {}
    factories.mapping("m", factories.backend(fake, profile=fields))
    told = scripts.replay([f"data: {json.dumps(event)}\n\n".encode()])
    for route in ("/messages", "/responses"):
        fake.route("POST", route, told)
    fake.script("m", told)
    answer = client.post(path.split()[0], {**CALLS[path], "stream": True})
    assert answer.status == 400, answer.text
    assert sentence_in(answer.json) == SENTENCE
