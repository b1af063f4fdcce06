"""Requests without end: what a body of megabytes costs grows as the body does, for everybody waits for it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from gateway.errors import BadRequest
from gateway.translate import multipart
from gateway.translate.message_normalization import normalize_messages
from ollama_api.ollama import messages, parse
from tests.golden import replay

MANY = 9_000
FORM = "multipart/form-data; boundary=X"


@contextmanager
def soon() -> Iterator[None]:
    """What takes some 0.1 s here would take minutes if it cost the square of its length."""
    began = time.process_time()
    yield
    assert time.process_time() - began < 3


def test_calls_and_their_results() -> None:
    calls = [{"id": f"c{place}", "function": {"name": "f", "arguments": {}}} for place in range(MANY)]
    results = [{"role": "tool", "content": "x", "tool_call_id": f"c{MANY - 1 - n}"} for n in range(MANY)]
    body = {"messages": [{"role": "assistant", "tool_calls": calls}, *results]}
    with soon():
        sent = messages.to_openai(parse.chat(json.dumps(body).encode()).messages)
    assert [turn["tool_call_id"] for turn in sent[1:]] == [f"c{MANY - 1 - n}" for n in range(MANY)]


@pytest.mark.parametrize("role", ["user", "system"])
@pytest.mark.parametrize("content", ["x" * 40, [{"type": "text", "text": "x"}]])
def test_neighbours_that_are_joined(role: str, content: Any) -> None:
    dialect = msgspec.structs.replace(
        replay.target().dialect, requires_alternating_roles=True, merge_system_messages="all"
    )
    with soon():
        (turn,) = normalize_messages([{"role": role, "content": content}] * 5 * MANY, dialect)
    assert len(turn["content"]) == (5 * MANY if isinstance(content, list) else 42 * 5 * MANY - 2)


@pytest.mark.parametrize(
    "line", [b"content-disposition:", b"content-disposition:;", b"; name=model,", b"a: b\r\n"]
)
def test_forms_whose_heads_have_no_end(line: bytes) -> None:
    body = b"--X\r\n" + line * MANY + b"\r\n\r\nm\r\n--X--\r\n"
    with soon(), pytest.raises(BadRequest):
        multipart.parse(body, FORM)
