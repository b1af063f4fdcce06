"""A key that a backend refuses: the next one is tried at once, within the same attempt."""

from collections.abc import Callable
from typing import Any

import pytest

from backends.discovery import catalog
from backends.models import Backend, Credential
from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.records import Request
from tests.support import factories
from tests.support.raw_http import Client, text_of

BAD, GOOD = "the-bad-key-0123456789", "the-good-key-0123456789"

REFUSALS: dict[str, Script] = {
    "401": scripts.status(401),
    "402": scripts.status(402),
    "403": scripts.status(403),
    "429": scripts.rate_limited(7),
    "a 400 about the key": scripts.status(
        400, {"error": {"message": "API key not valid. Pass a valid one."}}
    ),
    "an event with 200": scripts.error_event_first({"error": {"message": "no credit", "code": 402}}),
    "an answer with 200": scripts.json_body({"error": {"message": "slow down", "code": 429}}),
}


def add_keys(backend: Backend, *secrets: str) -> None:
    for place, secret in enumerate(secrets):
        Credential.objects.create(backend=backend, label=f"key {place}", secret=secret)


def refusing(*refused: str, by: Script, then: Script | None = None) -> Callable[[Request], Script]:
    """Script a backend that refuses some keys."""

    def choose(request: Request) -> Script:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        return by if key in refused else then or scripts.saying("good")

    return choose


def keys_of(fake: FakeBackend, path: str = "/chat/completions") -> list[str]:
    seen = [one for one in fake.requests if one.endpoint == path]
    return [one.headers["authorization"].removeprefix("Bearer ") for one in seen]


@pytest.fixture
def backend(database: None, fake: FakeBackend) -> Backend:
    made = factories.backend(fake)
    add_keys(made, BAD, GOOD)
    factories.mapping("m", made)
    return made


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_every_request_is_answered_by_the_good_key(
    client: Client, fake: FakeBackend, backend: Backend, change: Change, refusal: Script, stream: bool
) -> None:
    change(max_attempts=1)
    fake.script("m", refusing(BAD, by=refusal))
    for _ in range(4):
        answer = client.chat(stream=stream)
        assert (answer.status, text_of(answer.lines)) == (200, "good")
    # The bad one is tried at most once: then it comes after the good one.
    assert keys_of(fake).count(BAD) <= 1


ROUTES: dict[str, Any] = {
    "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"model": "m", "prompt": "hi"},
    "/v1/embeddings": {"model": "m", "input": "hi"},
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "/api/generate": {"model": "m", "prompt": "hi", "stream": False},
    "/api/embed": {"model": "m", "input": ["a", "b"]},
}


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_goes_on_to_the_next_key(
    client: Client, fake: FakeBackend, backend: Backend, path: str
) -> None:
    fake.require_key = GOOD
    for _ in range(2):
        assert client.post(path, ROUTES[path]).status == 200


def test_a_request_at_fault_is_not_asked_again(client: Client, fake: FakeBackend, backend: Backend) -> None:
    fake.script("m", scripts.status(400))
    assert client.chat().status == 400
    assert len(keys_of(fake)) == 1


@pytest.mark.parametrize("code", [500, 503])
def test_what_is_not_about_a_key_goes_to_the_next_target(
    client: Client, fake: FakeBackend, backend: Backend, code: int
) -> None:
    fake.script("m", scripts.status(code))
    assert client.chat().status in (502, 503)
    assert len(keys_of(fake)) == 1


def test_each_key_is_tried_once_and_the_shorter_wait_is_told(
    client: Client, fake: FakeBackend, backend: Backend
) -> None:
    fake.script("m", refusing(BAD, by=scripts.rate_limited(50), then=scripts.rate_limited(3)))
    answer = client.chat()
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    assert sorted(keys_of(fake)) == sorted([BAD, GOOD])


def test_a_limit_is_told_rather_than_a_wrong_key(client: Client, fake: FakeBackend, backend: Backend) -> None:
    for _ in range(2):  # whichever has its turn
        fake.script("m", refusing(BAD, by=scripts.status(401), then=scripts.rate_limited(3)))
        assert client.chat().status == 429


def test_a_limited_key_has_its_turn_again_when_its_wait_is_over(
    client: Client, fake: FakeBackend, backend: Backend
) -> None:
    fake.script("m", refusing(BAD, by=scripts.rate_limited(0)))
    for _ in range(4):
        assert text_of(client.chat().lines) == "good"
    assert keys_of(fake).count(BAD) == 2


def test_the_next_target_is_asked_when_all_keys_are_refused(
    client: Client, fake: FakeBackend, second: FakeBackend, backend: Backend
) -> None:
    factories.mapping("two", backend, factories.backend(second, "second"), model="m")
    fake.script("m", scripts.status(401))
    assert text_of(client.chat(model="two").lines) == REPLY_TEXT
    assert len(keys_of(fake)) == 2


def test_the_list_of_models_is_read_with_the_next_key(
    client: Client, fake: FakeBackend, backend: Backend
) -> None:
    factories.mapping("*", backend)
    fake.models, fake.require_key = ["x"], GOOD
    for _ in range(2):
        catalog.forget()
        assert "x:latest" in [one["name"] for one in client.get("/api/tags").json["models"]]
