"""The members of a body under /v1: in any case, as Ollama's decoder takes them, and several times."""

import json

import pytest

from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Client, Json

TURNS = [{"role": "user", "content": "hi"}]
BODIES: dict[str, Json] = {
    "/v1/chat/completions": {"Model": "m", "MESSAGES": TURNS, "Max_Tokens": 7, "Own_Field": {"A": 1}},
    "/v1/completions": {"Model": "m", "Prompt": "hi", "MAX_TOKENS": 7},
    "/v1/embeddings": {"Model": "m", "INPUT": "hi"},
    "/v1/responses": {"Model": "m", "Input": "hi", "Max_Output_Tokens": 7},
    "/v1/messages": {"MODEL": "m", "Messages": TURNS, "Max_Tokens": 7},
}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake, model="the-real-one")


@pytest.mark.parametrize("path", BODIES)
def test_keys_are_taken_in_any_case(client: Client, fake: FakeBackend, path: str) -> None:
    assert client.post(path, BODIES[path]).status == 200
    sent = fake.requests[-1].body
    assert sent["model"] == "the-real-one"
    assert sent.get("max_tokens") == (7 if path != "/v1/embeddings" else None)
    assert [name for name in sent if name != name.lower()] == ["Own_Field"] * ("chat" in path)


def test_a_stream_is_one_in_any_case(client: Client) -> None:
    answer = client.post("/v1/chat/completions", {"model": "m", "messages": TURNS, "Stream": True})
    assert answer.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize("path", BODIES)
def test_of_two_members_of_one_name_the_last_counts(client: Client, fake: FakeBackend, path: str) -> None:
    body = json.dumps({name.lower(): value for name, value in BODIES[path].items()})
    assert client.call("POST", path, f'{{"model": "nobody", {body[1:]}'.encode()).status == 200
    assert fake.requests[-1].body["model"] == "the-real-one"
