"""/v1/chat/completions that fail: in OpenAI's shape, with Ollama's types, and never as if they were whole."""

from typing import Any

import pytest

from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.steps import Chunk, Close, Done, Reset, Send, Step, Wait
from tests.support import factories, sse
from tests.support.ledger import RecordSpy, outcomes
from tests.support.raw_http import Answer, Client
from tests.support.sse import DONE

PATH = "/v1/chat/completions"
ASKED = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one")


def ask(client: Client, **fields: Any) -> Answer:
    return client.post(PATH, {"model": "m", "messages": ASKED, **fields})


def told(client: Client, **fields: Any) -> list[Any]:
    """Ask for a stream, and give the data of its events."""
    answer = ask(client, stream=True, **fields)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    return sse.data_of(answer.body)


REFUSED: dict[str, tuple[Any, int, str, str]] = {
    "no model": ({"messages": ASKED}, 400, "invalid_request_error", "model is required"),
    "model of a wrong type": ({"model": 5, "messages": ASKED}, 400, "invalid_request_error", "model"),
    "no messages": ({"model": "m"}, 400, "invalid_request_error", "[] is too short - 'messages'"),
    "empty messages": ({"model": "m", "messages": []}, 400, "invalid_request_error", "too short"),
    "messages that are none": ({"model": "m", "messages": "hi"}, 400, "invalid_request_error", "messages"),
    "stream of a wrong type": (
        {"model": "m", "messages": ASKED, "stream": "yes"},
        400,
        "invalid_request_error",
        "stream",
    ),
    "no body": (b"", 400, "invalid_request_error", ""),
    "no JSON": (b"{", 400, "invalid_request_error", "unexpected EOF"),
    "a list": ([], 400, "invalid_request_error", "must be a JSON object"),
    "unknown model": ({"model": "nobody", "messages": ASKED}, 404, "not_found_error", "not found"),
}


@pytest.mark.parametrize(("body", "status", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_refusals_have_openais_shape(client: Client, body: Any, status: int, kind: str, text: str) -> None:
    assert_refused(client.call("POST", PATH, body), status, kind, text)


TOO_LONG = "context_length_exceeded"
LONG = "maximum context length is 5 tokens"


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    ("status", "error", "code", "param"),
    [
        (400, {"message": LONG, "code": TOO_LONG, "param": "messages"}, TOO_LONG, "messages"),
        (400, {"message": LONG, "code": 400, "type": "BadRequestError"}, TOO_LONG, None),
        (500, {"message": LONG}, TOO_LONG, None),
        (
            400,
            {"message": "no", "code": "invalid_value", "param": "tools[0].type"},
            "invalid_value",
            "tools[0].type",
        ),
        (400, {"message": "no", "code": "https://user:secret@host", "param": ["x"]}, None, None),
        (429, {"message": "no", "code": "rate_limit_exceeded"}, "rate_limit_exceeded", None),
        (404, {"message": "no such model", "code": "model_not_found"}, "model_not_found", None),
        (400, {"message": "no", "code": "sk-0123456789abcdef", "param": "a sentence"}, None, None),
        (401, {"message": "no", "code": "invalid_api_key"}, None, None),
    ],
)
def test_a_backends_words_for_programs_pass(
    client: Client, fake: FakeBackend, streams: bool, status: int, error: Any, code: Any, param: Any
) -> None:
    fake.script("the-real-one", scripts.status(status, {"error": error}))
    said = ask(client, stream=streams).json["error"]
    assert (said["code"], said["param"]) == (code, param)


def test_a_stream_that_is_too_long_says_so_in_every_word(client: Client, fake: FakeBackend) -> None:
    text = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
    steps = [Chunk(text), Chunk({"error": {"message": LONG, "code": 400}}), Done()]
    fake.script("the-real-one", Script(steps))
    assert told(client)[-1]["error"]["code"] == TOO_LONG
    answer = client.post("/v1/responses", {"model": "m", "input": "hi", "stream": True})
    assert f'"error":{{"code":"{TOO_LONG}"' in answer.text.splitlines()[-2]


def assert_refused(answer: Answer, status: int, kind: str, text: str, code: str | None = None) -> None:
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    error = answer.json["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["param"], error["code"]) == (kind, None, code)
    assert text in error["message"]
    assert error["message"]


CODES = {"404": "model_not_found", "429": "rate_limit_exceeded", "too long": TOO_LONG}
BACKENDS: dict[str, tuple[Script, int, str, str]] = {
    "400": (scripts.status(400, {"error": {"message": "too hot"}}), 400, "invalid_request_error", "too hot"),
    "401": (scripts.status(401), 502, "api_error", "credentials"),
    "404": (scripts.model_not_found("x"), 404, "not_found_error", "does not exist"),
    "429": (scripts.rate_limited(7), 429, "api_error", "Rate limit reached."),
    "503": (scripts.status(503, {"error": {"message": "loading"}}), 503, "api_error", "loading"),
    "error event first": (
        scripts.error_event_first({"error": {"message": "out of order"}}),
        502,
        "api_error",
        "out of order",
    ),
    "too long": (scripts.error_event_first(), 400, "invalid_request_error", "context length"),
    "no answer": (scripts.close_without_answer(), 502, "api_error", "before it finished"),
    "HTML": (scripts.html_200(), 502, "api_error", "no answer"),
    "cut before it began": (scripts.cut_mid_stream(0), 502, "api_error", "before it finished"),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", BACKENDS)
def test_a_backends_refusal_has_openais_shape(
    client: Client, fake: FakeBackend, name: str, stream: bool
) -> None:
    script, status, kind, text = BACKENDS[name]
    fake.script("the-real-one", script)
    answer = ask(client, stream=stream)
    assert_refused(answer, status, kind, text, CODES.get(name))
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)


def test_a_team_without_the_model_is_told(client: Client) -> None:
    _, secret = factories.key(factories.team(models=("other",)))
    answer = client.post(PATH, {"model": "m", "messages": ASKED}, Authorization=f"Bearer {secret}")
    assert_refused(answer, 403, "api_error", "may not use model 'm'")


# Streams that break


def half(*ends: Step) -> Script:
    return Script(lambda answer: [*answer.opening, *answer.content[:2], Wait("go"), *ends])


BROKEN = {
    "cut": (half(Close()), "before it finished"),
    "reset": (half(Reset()), "before it finished"),
    "no finish": (half(), "before it finished"),
    "error event": (half(Chunk({"error": {"message": "crashed"}}), Done()), "crashed"),
    "no JSON": (half(Send(b"data: {\n\n")), "no answer"),
}


@pytest.mark.parametrize(("script", "text"), BROKEN.values(), ids=BROKEN)
def test_a_broken_stream_ends_with_an_error_and_not_with_done(
    client: Client, fake: FakeBackend, ledger: RecordSpy, script: Script, text: str
) -> None:
    fake.script("the-real-one", script)
    with client.open("POST", PATH, {"model": "m", "messages": ASKED, "stream": True}) as connection:
        assert connection.head().status == 200
        events = sse.events(connection.pieces())
        assert sse.text_of(next(events).data for _ in range(3)) == "Hello from "
        fake.release("go")
        (last,) = [event.data for event in events]
    assert list(last) == ["error"]
    assert (last["error"]["type"], text in last["error"]["message"]) == ("api_error", True)
    assert outcomes(ledger.wait()) == ["error"]


def test_one_choice_of_two_is_no_whole_answer(client: Client, fake: FakeBackend) -> None:
    """Without `[DONE]` only the ends of the choices tell, and one is missing."""
    ended = Chunk({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]})
    head = {"id": "1", "object": "chat.completion.chunk", "created": 5}
    other = head | {"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]}
    fake.script("the-real-one", Script([ended]))
    assert "error" in told(client, n=2)[-1]
    fake.script("the-real-one", Script([ended, Chunk(other)]))
    assert told(client, n=2)[-2:] == [other | {"model": "m"}, DONE]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_backend_is_let_go_when_the_client_leaves(
    client: Client, fake: FakeBackend, ledger: RecordSpy, stream: bool
) -> None:
    fake.script("the-real-one", scripts.held(after=2))
    with client.open("POST", PATH, {"model": "m", "messages": ASKED, "stream": stream}) as connection:
        fake.wait_stream(lambda one: one.waiting == "go")
        if stream:
            assert connection.head().status == 200
    fake.wait_aborted(timeout=1.0)
    assert outcomes(ledger.wait()) == ["client_closed"]
