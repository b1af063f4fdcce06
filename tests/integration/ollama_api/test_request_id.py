"""Every answer of a route has an id, the client's own where it is fit to be one."""

import re
from typing import Any

import pytest

from ollama_api.openapi.document import describe
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client

PATHS = [re.sub(r"\{(\w+)\}", r"\1", path) for path in describe()["paths"]]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/api/tags/", "/%0A"])
def test_every_answer_has_one(client: Client, path: str) -> None:
    ids = []
    for method in ("GET", "HEAD", "POST", "DELETE", "PUT"):
        ids.append(client.call(method, path, b"{}").headers["x-request-id"])
        own = client.call(method, path, b"{}", {"X-Request-Id": "my-own.id_1"})
        assert own.headers["x-request-id"] == "my-own.id_1"
    assert len(set(ids)) == len(ids)
    assert {len(one) for one in ids} == {16}


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "ä", "a\tb", "<script>"])
def test_an_id_that_is_unfit_is_replaced(client: Client, odd: str) -> None:
    with client.open("GET", "/", headers=()) as connection:
        connection.answer()
        connection.send(f"GET / HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {odd}\r\n\r\n".encode())
        given = connection.answer().headers["x-request-id"]
    assert (given != odd, len(given)) == (True, 16)


STREAMS: dict[str, Any] = {
    "/api/chat": {"messages": [{"role": "user", "content": "hi"}]},
    "/api/generate": {"prompt": "hi"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"prompt": "hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
    "/v1/responses": {"input": "hi"},
    "/api/pull": {},
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", STREAMS)
def test_answers_of_every_form_have_one(client: Client, path: str, stream: bool) -> None:
    body = {"model": "m", "stream": stream, **STREAMS[path]}
    answer = client.call("POST", path, body, {"X-Request-Id": "mine"})
    assert (answer.status, answer.headers["x-request-id"]) == (200, "mine")


@pytest.mark.parametrize("path", [path for path in STREAMS if path != "/api/pull"])
def test_a_failure_names_it(client: Client, fake: FakeBackend, path: str) -> None:
    """In its text, so that an operator finds the line in the log."""
    fake.script("m", scripts.close_without_answer())
    answer = client.call("POST", path, {"model": "m", **STREAMS[path]}, {"X-Request-Id": "find-me"})
    assert (answer.status, answer.headers["x-request-id"]) == (502, "find-me")
    assert "(find-me)" in answer.text
