"""Nothing of a backend runs in a browser on the admin's origin: no answer is sniffed, no type is active."""

import pytest

from tests.conftest import Change
from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Send
from tests.support import factories
from tests.support.raw_http import Client, chat_body

PAGE = b"<html><script>fetch('/admin/')</script>"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/api/version", 200),
        ("GET", "/api/tags", 200),
        ("POST", "/api/chat", 200),
        ("POST", "/v1/chat/completions", 200),
        ("POST", "/api/show", 200),
        ("DELETE", "/api/chat", 405),
        ("GET", "/api/chat/", 301),
        ("GET", "/<script>", 404),
        ("POST", "/api/blobs/x", 400),
        ("GET", "/admin/login/", 200),
        ("GET", "/admin/", 302),
        ("GET", "/admin/nothing", 302),
        ("GET", "/static/nothing", 404),
    ],
)
def test_no_answer_is_sniffed(client: Client, fake: FakeBackend, method: str, path: str, status: int) -> None:
    factories.route(fake)
    body = chat_body() if method == "POST" else None
    answer = client.call(method, path, body)
    assert answer.status == status
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_refusal_of_a_key_is_not_sniffed(client: Client, change: Change) -> None:
    change(require_key_on_loopback=True)
    answer = client.get("/api/tags")
    assert (answer.status, answer.headers["x-content-type-options"]) == (401, "nosniff")


TYPES = {
    "text/html": "text/plain",
    "text/html; charset=utf-8": "text/plain; charset=utf-8",
    "image/svg+xml": "application/octet-stream",
    "application/xhtml+xml": "application/octet-stream",
    "text/xml": "text/plain",
    "text/\xfc": "application/octet-stream",
    "audio/mpeg": "audio/mpeg",
    "text/vtt": "text/vtt",
    "application/json": "application/json",
}


@pytest.mark.parametrize(("given", "told"), TYPES.items())
@pytest.mark.parametrize("path", ["/audio/speech", "/images/generations"])
def test_what_is_handed_on_has_no_active_type(
    client: Client, fake: FakeBackend, path: str, given: str, told: str
) -> None:
    factories.route(fake)
    fake.route("POST", path, Script([Send(PAGE)], content_type=given, framing="length"))
    answer = client.post(f"/v1{path}", {"model": "m", "input": "hi", "prompt": "hi"})
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, told, PAGE)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_page_with_an_error_is_told_as_json(client: Client, fake: FakeBackend) -> None:
    factories.route(fake)
    fake.script("m", Script([Send(PAGE)], status=400, content_type="text/html", framing="length"))
    answer = client.chat()
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
