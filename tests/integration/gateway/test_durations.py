"""The durations of answers that come in one piece: clients divide the tokens by them."""

import pytest

from tests.fake_backend import FakeBackend, Script, scripts
from tests.fake_backend.answers import Answer as FakeAnswer
from tests.fake_backend.steps import Chunk, Head, Send, Sleep
from tests.support import factories
from tests.support.raw_http import Client, Json

PAUSE_S = 0.3
PAUSE_NS = int(PAUSE_S * 1e9)
LATE = scripts.slow_first_token(PAUSE_S, headers_first=False)
EARLY = scripts.slow_first_token(PAUSE_S)
BODIES: dict[str, Json] = {
    "/api/chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "/api/generate": {"model": "m", "prompt": "hi"},
}


def _in_one_write(answer: FakeAnswer) -> list[Sleep | Send]:
    return [Sleep(PAUSE_S), Send(b"".join(step.encode() for step in answer.steps))]


def _whole_although_streamed(answer: FakeAnswer) -> list[Sleep | Send]:
    whole = b'{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}'
    return [Sleep(PAUSE_S), Send(whole)]


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def ask(client: Client, path: str, *, stream: bool) -> Json:
    last: Json = client.post(path, BODIES[path] | {"stream": stream}).lines[-1]
    assert last["done"] is True
    parts = last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]
    assert parts <= last["total_duration"]
    return last


@pytest.mark.parametrize("path", BODIES)
def test_all_of_the_time_is_the_answers(client: Client, fake: FakeBackend, path: str) -> None:
    fake.script("m", LATE)
    last = ask(client, path, stream=False)
    assert last["eval_duration"] > PAUSE_NS
    assert last["prompt_eval_duration"] == 1


@pytest.mark.parametrize("path", BODIES)
def test_a_head_that_came_before_tells_of_the_prompt(client: Client, fake: FakeBackend, path: str) -> None:
    fake.script("m", EARLY)
    last = ask(client, path, stream=False)
    assert last["eval_duration"] > PAUSE_NS * 0.9
    assert 1 < last["prompt_eval_duration"] < PAUSE_NS


def test_the_backends_own_timings_win(client: Client, fake: FakeBackend) -> None:
    whole = (
        b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],'
        b'"timings":{"prompt_ms":2.5,"predicted_ms":4.5}}'
    )
    fake.script("m", Script([Head(), Sleep(0.05), Send(whole)], content_type="application/json"))
    last = ask(client, "/api/chat", stream=False)
    assert (last["prompt_eval_duration"], last["eval_duration"]) == (2_500_000, 4_500_000)


BACK = {
    "in one write": Script(_in_one_write),
    "as one object": Script(_whole_although_streamed, content_type="application/json"),
}


@pytest.mark.parametrize("script", BACK.values(), ids=BACK)
def test_a_stream_that_was_held_back_is_no_stream(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("m", script)
    assert ask(client, "/api/chat", stream=True)["eval_duration"] > PAUSE_NS


def test_a_stream_is_measured_from_its_first_words(client: Client, fake: FakeBackend) -> None:
    def play(answer: FakeAnswer) -> list[Sleep | Chunk]:
        steps = [step for step in answer.steps if isinstance(step, Chunk)]
        return [Sleep(PAUSE_S), *steps[:2], Sleep(PAUSE_S), *steps[2:]]

    fake.script("m", Script(play))
    last = ask(client, "/api/chat", stream=True)
    assert min(last["prompt_eval_duration"], last["eval_duration"]) > PAUSE_NS * 0.9
