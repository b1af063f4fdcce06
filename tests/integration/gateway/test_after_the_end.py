"""Once an answer has said that it is over, only bookkeeping may follow, and not for long."""

import json
import time

import pytest

from backends.upstream import transport
from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script
from tests.fake_backend.answers import Answer as FakeAnswer
from tests.fake_backend.steps import Chunk, Close, Comment, Hang, Reset, Send, Sleep, Step
from tests.support import factories
from tests.support.raw_http import Client, text_of
from tests.support.waiting import PATIENCE_S

SOON_S = 10.0
"""Far below the idle timeout, far above the grace."""
MESSAGES = {"model": "m", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def _finished(*more: Step) -> Script:
    """The answer up to its finish, without `[DONE]`, and then something else."""

    def play(answer: FakeAnswer) -> list[Step]:
        return [*answer.opening, *answer.content, *answer.closing[:1], *more]

    return Script(play)


USAGE = Chunk({"choices": [], "usage": {"prompt_tokens": 31, "completion_tokens": 7}})
PINGS: list[Step] = [step for _ in range(300) for step in (Sleep(0.2), Comment(" ping"))]
NOTHING: list[Step] = [step for _ in range(300) for step in (Sleep(0.2), Chunk({"choices": []}))]
BEHIND: dict[str, Script] = {
    "silence": _finished(USAGE, Hang()),
    "comments": _finished(USAGE, *PINGS),
    "chunks that say nothing": _finished(USAGE, *NOTHING),
    "a reset": _finished(USAGE, Sleep(0.05), Reset()),
    "a close in mid-chunk": _finished(USAGE, Sleep(0.05), Close()),
    "DONE": _finished(USAGE, Send(b"data: DONE\n\n"), Close()),
    "[done]": _finished(USAGE, Send(b"data: [done]\n\n"), Close()),
    "half an event": _finished(USAGE, Send(b'data: {"choi'), Close()),
    "no JSON": _finished(USAGE, Send(b"data: <eos>\n\n"), Hang()),
}


@pytest.mark.parametrize("script", BEHIND.values(), ids=BEHIND)
def test_nothing_behind_the_end_spoils_a_chat(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("m", script)
    begun = time.monotonic()
    answer = client.chat()
    assert time.monotonic() - begun < SOON_S
    assert text_of(answer.lines) == REPLY_TEXT
    last = answer.lines[-1]
    assert (last["done"], last["done_reason"]) == (True, "stop")
    assert (last["prompt_eval_count"], last["eval_count"]) == (31, 7)


@pytest.mark.parametrize("script", BEHIND.values(), ids=BEHIND)
def test_nothing_behind_the_end_spoils_what_passes(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("m", script)
    begun = time.monotonic()
    answer = client.post("/v1/chat/completions", MESSAGES)
    assert time.monotonic() - begun < SOON_S
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert b'"error"' not in answer.body


def test_a_passed_message_ends_with_its_last_event(client: Client, fake: FakeBackend) -> None:
    factories.mapping("c", factories.backend(fake, "claude", dialect="anthropic"))
    events: list[Step] = [
        Chunk({"type": name, **fields}, event=name)
        for name, fields in (
            ("message_start", {"message": {"id": "i", "content": [], "model": "x", "role": "assistant"}}),
            ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
            ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "a"}}),
            ("content_block_stop", {"index": 0}),
            ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
            ("message_stop", {}),
        )
    ]
    fake.route("POST", "/messages", Script([*events, *PINGS]))
    begun = time.monotonic()
    answer = client.post("/v1/messages", {**MESSAGES, "model": "c"})
    assert time.monotonic() - begun < SOON_S
    assert b"message_stop" in answer.body
    assert b"event: error" not in answer.body


def test_comments_do_not_keep_an_answer_open_for_ever(
    client: Client, fake: FakeBackend, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They prolong the wait, as they say that the backend is at work, and at last they do no more."""
    monkeypatch.setattr(transport, "MOST_SILENCES", 2)
    change(idle_timeout_s=PATIENCE_S)
    fake.script("m", Script(lambda answer: [*answer.opening, *answer.content[:2], *PINGS]))
    begun = time.monotonic()
    answer = client.chat()
    assert PATIENCE_S < time.monotonic() - begun < SOON_S
    assert "timed out" in answer.error


def test_two_answers_are_waited_for(client: Client, fake: FakeBackend) -> None:
    """Who asks for two has not got all when the first is over."""

    def said(index: int, text: str) -> list[Step]:
        chunk = {"index": index, "delta": {"content": text}, "finish_reason": None}
        end = {"index": index, "delta": {}, "finish_reason": "stop"}
        return [Chunk({"choices": [chunk]}), Chunk({"choices": [end]})]

    fake.script("m", Script([*said(0, "one"), Sleep(2.5), *said(1, "two"), Send(b"data: [DONE]\n\n")]))
    answer = client.post("/v1/chat/completions", {**MESSAGES, "n": 2})
    events = [json.loads(line[6:]) for line in answer.body.split(b"\n\n") if line.startswith(b"data: {")]
    said_texts = [event["choices"][0]["delta"].get("content") for event in events]
    assert said_texts == ["one", None, "two", None]
