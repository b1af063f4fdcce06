"""A canary key and a canary prompt through every end that a request can take: seen by nobody, in no log.

The product runs as a process of its own and logs all that it can.
"""

import base64
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Serve
from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.process import ServedProcess
from tests.support.raw_http import Answer, Json
from tests.support.waiting import eventually

KEY = 'nvapi-Canary/0a1b2c3d4e5f"6g7h8i9j0k1l2m'
OTHER = "tp_Canary-9z8y7x6w5v4u3t2s1r0q"
WORD = "xylocarp"
PROMPT = f"The {WORD} tells 8675309 about Grandmother"
ANSWER = f"Her {WORD} is an answer"
FORMS = (
    KEY,
    json.dumps(KEY)[1:-1],
    urllib.parse.quote(KEY, safe=""),
    base64.b64encode(f"x:{KEY}".encode()).decode(),
    "nvapi-Canary",
    OTHER,
)
ECHO = f"{' '.join(FORMS)} got: {PROMPT}; said: {ANSWER}"
ERROR = {"error": {"message": ECHO, "type": ECHO, "code": KEY, "param": OTHER}}
APIS: dict[str, Json] = {
    "/api/chat": {"messages": [{"role": "user", "content": PROMPT}]},
    "/api/generate": {"prompt": PROMPT},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": PROMPT}]},
    "/v1/messages": {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 9},
    "/v1/responses": {"input": PROMPT},
}
OTHERS: dict[str, Json] = {
    "/api/embed": {"input": PROMPT},
    "/v1/embeddings": {"input": PROMPT},
    "/v1/completions": {"prompt": PROMPT},
    "/v1/images/generations": {"prompt": PROMPT},
    "/v1/audio/speech": {"input": PROMPT},
}


def told(status: int, body: Any) -> Script:
    return scripts.status(status, body, {"retry-after": KEY, "x-own": KEY})


ENDS: dict[str, Any] = {
    **{f"status {code}": told(code, ERROR) for code in (400, 401, 403, 404, 413, 422, 429, 500, 503)},
    "a text": told(400, ECHO),
    "a page": told(500, f"<html><title>{ECHO}</title></html>"),
    "a redirect": scripts.redirect(f"http://evil.example/{urllib.parse.quote(KEY)}"),
    "fastapi's": told(422, {"detail": [{"loc": ["body", KEY], "msg": ECHO}]}),
    "a gateway's": told(502, {"error": {"message": "no", "metadata": {"raw": json.dumps(ERROR)}}}),
    "200 and a page": Script([Send(f"<title>{ECHO}</title>".encode())], content_type="text/html"),
    "200 and a text": Script([Send(ECHO.encode())], content_type="text/plain"),
    "200 and an error": scripts.error_event_first(ERROR),
    "an error in mid-stream": scripts.error_event_mid(1, ERROR),
    "an event that is none": scripts.replay([f"data: {ECHO}\n\n".encode()]),
    "a key in an answer": scripts.saying(f"key {OTHER} here"),
    "cut": scripts.cut_mid_stream(2),
    "nothing": scripts.close_without_answer(),
    "a good end": scripts.saying(ANSWER),
}


@pytest.fixture(scope="module")
def echo() -> Iterator[FakeBackend]:
    with FakeBackend() as backend:
        yield backend


@pytest.fixture
def process(database: None, serve: Serve, echo: FakeBackend) -> ServedProcess:
    backend = factories.backend(echo, api_key=KEY)
    from backends.models import Credential

    Credential.objects.create(backend=backend, label="other", secret=OTHER)
    factories.mapping("m", backend)
    if not _served:
        _served.append(serve(LOG_LEVEL="DEBUG", LLAMAGATE_SERVE_ANYONE_WITHOUT_A_KEY="true"))
    eventually(lambda: _served[0].client.call("GET", "/v1/models/m").status == 200, 5, "the mapping")
    return _served[0]


_served: list[ServedProcess] = []
"""One process for all: a start takes seconds, and it follows what each test saves."""


def holds_key(text: str) -> bool:
    return any(form.lower() in text.lower() for form in FORMS)


def seen(answer: Answer) -> str:
    return f"{answer.headers} {answer.body.decode('utf-8', 'replace')}"


def lines(process: ServedProcess, answer: Answer) -> str:
    """Give what the log says, once the request's own line is there."""
    process.wait_logged("request", request_id=answer.headers["x-request-id"])
    return process.output


def assert_silent(log: str) -> None:
    assert not holds_key(log)
    for word in (WORD, "8675309", "Grandmother"):
        assert word not in log


@pytest.mark.parametrize("end", ENDS)
def test_no_answer_and_no_line_holds_a_key_or_a_prompt(
    process: ServedProcess, echo: FakeBackend, end: str
) -> None:
    asked = [
        (path, {"model": "m", **body, "stream": stream})
        for path, body in APIS.items()
        for stream in (False, True)
    ]
    echo.script("m", ENDS[end])
    if isinstance(ENDS[end], Script) and "status" in end:
        for path in ("/images/generations", "/audio/speech", "/embeddings", "/completions"):
            echo.route("POST", path, ENDS[end])
        asked += [(path, {"model": "m", **body}) for path, body in OTHERS.items()]
    for path, body in asked:
        answer = process.client.post(path, body)
        assert not holds_key(seen(answer)), (path, seen(answer))
        assert_silent(lines(process, answer))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/chat", {"model": "m", "messages": [{"role": PROMPT, "content": 5}]}),
        ("POST", "/api/chat", {"model": PROMPT, "messages": []}),
        ("POST", "/v1/messages", {"model": "m", "messages": PROMPT}),
        ("POST", "/v1/responses", {"model": "m", "input": [{"type": PROMPT}]}),
        ("POST", "/v1/embeddings", {"model": "m", "input": "x", "encoding_format": PROMPT}),
        ("POST", "/api/embed", {"model": PROMPT, "input": PROMPT}),
    ],
)
def test_a_request_that_is_refused_is_not_quoted_in_the_log(
    process: ServedProcess, method: str, path: str, body: Json
) -> None:
    body = json.loads(json.dumps(body).replace(f'"model": "{PROMPT}"', '"model": "nobody"'))
    assert process.client.call(method, path, body).status >= 400
    assert_silent(process.output)


def test_a_callers_key_that_a_backend_quotes(process: ServedProcess, echo: FakeBackend) -> None:
    """It can have it from a prompt only; it is taken out of what is told of a failure all the same."""
    _, secret = factories.key(factories.team())
    eventually(
        lambda: process.client.call("GET", "/v1/models/m", None, {"X-API-Key": secret}).status == 200, 5, "it"
    )
    echo.script("m", told(400, {"error": {"message": f"cannot read {secret} here"}}))
    for headers in ({"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"}):
        body = {"model": "m", "messages": [{"role": "user", "content": secret}]}
        answer = process.client.call("POST", "/v1/chat/completions", body, headers)
        assert answer.json["error"]["message"] == "cannot read [redacted] here"
        assert secret not in lines(process, answer)


def test_a_model_list_that_fails(process: ServedProcess, echo: FakeBackend) -> None:
    echo.route("GET", "/models", told(500, ERROR))
    factories.mapping("lab/*", factories.backend(echo, "another", api_key=KEY))
    eventually(lambda: process.client.post("/api/show", {"model": "lab/x"}).status == 200, 5, "the mapping")
    (line,) = process.wait_logged("model list", backend="another")
    assert (line["known"], "status 500" in line["reason"]) == (False, True)
    assert_silent(process.output)


def test_a_model_whose_name_is_the_key(process: ServedProcess, echo: FakeBackend) -> None:
    echo.route("GET", "/models", scripts.json_body({"data": [{"id": OTHER}, {"id": "x"}]}))
    factories.mapping("*", factories.backend(echo, "third", api_key=OTHER))
    eventually(lambda: "[redacted]" in seen(process.client.call("GET", "/api/tags")), 5, "the list")
    assert not holds_key(seen(process.client.call("GET", "/v1/models")))
