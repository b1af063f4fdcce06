"""A model's tags, which a generic backend leaves in the text: thinking, whole and streamed, at any cut."""

import pytest

from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client, text_of

TAGGED = "<think>\nplan it</think>\n\nHello"


@pytest.fixture(autouse=True, params=["generic", "vllm", "llamacpp", "litellm", "localai"])
def _route(request: pytest.FixtureRequest, database: None, fake: FakeBackend) -> None:
    factories.mapping("m", factories.backend(fake, dialect=request.param))


def test_it_is_thinking_in_a_whole_answer(client: Client) -> None:
    message = client.chat(f"echo: {TAGGED}", stream=False).json["message"]
    assert (message["thinking"], message["content"]) == ("plan it", "Hello")


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_it_is_thinking_in_a_stream(client: Client, fake: FakeBackend, cut: int) -> None:
    fake.script("m", scripts.odd_chunking(cut))
    answer = client.chat(f"echo: {TAGGED}")
    assert "".join(line["message"].get("thinking", "") for line in answer.lines) == "plan it"
    assert text_of(answer.lines) == "Hello"
