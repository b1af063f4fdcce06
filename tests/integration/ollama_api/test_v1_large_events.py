"""Events of some MiB, such as pictures that a model draws, pass on /v1 within the bound of what is kept."""

import base64
import json
from typing import Any

import pytest

from tests.conftest import Change
from tests.fake_backend import FakeBackend, Script
from tests.fake_backend.steps import Chunk, Done, Send, Step
from tests.support import factories, sse
from tests.support.raw_http import Client, Json

MIB = 1024 * 1024
PICTURE = "data:image/png;base64," + base64.b64encode(bytes(6 * MIB)).decode()
IMAGES = [{"type": "image_url", "image_url": {"url": PICTURE}}]
ASKED: Json = {
    "model": "m",
    "stream": True,
    "messages": [{"role": "user", "content": "draw"}],
    "max_tokens": 9,
}
HEAD: Json = {"id": "x", "object": "chat.completion.chunk", "created": 5}
END = Chunk(HEAD | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def drawing(**delta: Any) -> Chunk:
    return Chunk(HEAD | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


SCRIPTS: dict[str, list[Step]] = {
    "behind text": [drawing(content="Here:"), drawing(images=IMAGES), END, Done()],
    "before any text": [drawing(content="", images=IMAGES), END, Done()],
}


@pytest.mark.parametrize("steps", SCRIPTS.values(), ids=SCRIPTS)
def test_a_picture_passes_in_a_stream(client: Client, fake: FakeBackend, steps: list[Step]) -> None:
    fake.script("m", Script(steps))
    chunks = sse.data_of(client.post("/v1/chat/completions", ASKED).body)[:-1]
    told = [image for chunk in chunks for image in chunk["choices"][0]["delta"].get("images", ())]
    assert told == IMAGES


def test_a_picture_passes_in_an_event_of_another_api(client: Client, fake: FakeBackend) -> None:
    factories.mapping("other", factories.backend(fake, "other", dialect="openai"), model="m")
    events: list[Json] = [
        {"type": "response.output_item.done", "item": {"type": "image_generation_call", "result": PICTURE}},
        {"type": "response.completed", "response": {"id": "r", "model": "m", "output": []}},
    ]
    fake.route("POST", "/responses", Script([Chunk(event, event["type"]) for event in events]))
    body = {"model": "other", "input": "draw", "stream": True}
    first, last = sse.data_of(client.post("/v1/responses", body).body)
    assert (first["item"]["result"], last["type"]) == (PICTURE, "response.completed")


def test_an_event_over_the_bound_ends_the_stream(client: Client, fake: FakeBackend, change: Change) -> None:
    change(max_gathered_bytes=5 * MIB)
    fake.script("m", Script(SCRIPTS["behind text"]))
    *_, last = sse.data_of(client.post("/v1/chat/completions", ASKED).body)
    assert list(last) == ["error"]


@pytest.mark.parametrize("part", [b"{}", b"[]", b"1"])
def test_many_small_things_are_no_picture(client: Client, fake: FakeBackend, part: bytes) -> None:
    """Decoded they would take many times their bytes."""
    event = b'data: {"choices":[' + b",".join([part] * (5 * MIB // (len(part) + 1))) + b"]}\n\n"
    fake.script("m", Script([Send(event), Done()]))
    answer = client.post("/v1/chat/completions", ASKED)
    assert (answer.status, json.loads(answer.body)["error"]["type"]) == (502, "api_error")


def test_the_other_apis_keep_their_bound(client: Client, fake: FakeBackend) -> None:
    fake.script("m", Script(SCRIPTS["behind text"]))
    assert list(client.chat().lines[-1]) == ["error"]
