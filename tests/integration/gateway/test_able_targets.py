"""Of several targets, those are asked that can do what a request needs, as far as probes know."""

from typing import Any

import pytest

from backends.models import ModelMapping, ProbeResult
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client, text_of

TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


@pytest.fixture(autouse=True)
def mapping(database: None, fake: FakeBackend, second: FakeBackend) -> ModelMapping:
    """Prefer a target of which a probe found that it can nothing but talk."""
    first = factories.backend(fake, "first")
    for ability in ("tools", "vision", "thinking"):
        ProbeResult.objects.create(backend=first, model="m", capability=ability, verdict=ProbeResult.NO)
    fake.script("m", scripts.saying("first"))
    second.script("m", scripts.saying("second"))
    return factories.mapping("m", first, factories.backend(second, "second"))


NEEDS: dict[str, dict[str, Any]] = {
    "tools": {"tools": [TOOL]},
    "thinking": {"think": True},
    "an image": {"messages": [{"role": "user", "content": "What is this?", "images": [PIXEL]}]},
}


@pytest.mark.parametrize("fields", NEEDS.values(), ids=NEEDS)
def test_who_cannot_is_passed_over(client: Client, fields: dict[str, Any]) -> None:
    assert text_of(client.chat(**fields).lines) == "second"


def test_who_can_is_asked_in_the_usual_order(client: Client) -> None:
    assert text_of(client.chat().lines) == "first"


def test_so_it_is_on_the_other_apis(client: Client) -> None:
    user = {"role": "user", "content": "Hi"}
    tool = {"name": "clock", "input_schema": {"type": "object"}}
    said = client.post("/v1/messages", {"model": "m", "max_tokens": 9, "messages": [user], "tools": [tool]})
    assert said.json["content"][0]["text"] == "second"
    passed = client.post("/v1/chat/completions", {"model": "m", "messages": [user], "tools": [TOOL]})
    assert passed.json["choices"][0]["message"]["content"] == "second"
    seen = [{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]
    response = client.post("/v1/responses", {"model": "m", "input": [{"role": "user", "content": seen}]})
    assert response.json["output"][0]["content"][0]["text"] == "second"


def test_the_operators_word_goes_before_the_probes(client: Client, mapping: ModelMapping) -> None:
    mapping.capabilities = ["completion", "tools"]
    mapping.save()
    assert text_of(client.chat(tools=[TOOL]).lines) == "first"


def test_where_nobody_is_left_the_request_is_refused(client: Client, mapping: ModelMapping) -> None:
    mapping.targets.filter(backend__name="second").delete()
    answer = client.chat(tools=[TOOL])
    assert (answer.status, "does not support tools" in answer.error) == (400, True)
