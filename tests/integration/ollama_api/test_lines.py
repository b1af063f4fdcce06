"""A line of a stream is a piece of its own, for clients that parse each piece which their library gives."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
import requests

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.replies import Reply, call_fragments
from tests.support import factories
from tests.support.raw_http import Client, chat_body, text_of

CITIES = ("Paris", "Rome", "Oslo")
BURST = scripts.odd_chunking(10_000_000)
"""All of the answer in one write, so that many chunks come in one read."""
PATHS = {"/api/chat": chat_body(), "/api/generate": {"model": "m", "prompt": "hi"}}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)
    fake.script("m", BURST)


def read_raw(client: Client, path: str) -> Iterator[bytes]:
    with client.open("POST", path, PATHS[path]) as connection:
        connection.head()
        yield from connection.pieces()


def read_with_requests(client: Client, path: str) -> Iterator[bytes]:
    url = f"http://127.0.0.1:{client.port}{path}"
    with requests.post(url, json=PATHS[path], stream=True, timeout=5) as response:
        yield from response.iter_content(None)


def read_with_httpx(client: Client, path: str) -> Iterator[bytes]:
    url = f"http://127.0.0.1:{client.port}{path}"
    with httpx.stream("POST", url, json=PATHS[path], timeout=5) as response:
        yield from response.iter_raw()


READERS = {"chunks": read_raw, "requests": read_with_requests, "httpx": read_with_httpx}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_each_piece_of_a_burst_is_one_line(client: Client, read: Any, path: str) -> None:
    pieces = list(read(client, path))
    assert [piece.count(b"\n") for piece in pieces] == [1] * len(pieces)
    lines = [json.loads(piece) for piece in pieces]
    assert text_of(lines) == REPLY_TEXT
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]


def test_a_long_burst_has_as_many_chunks_as_lines(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.tokens(5000, writes="one"))
    pieces = list(read_raw(client, "/api/chat"))
    assert len(pieces) == 5001
    assert text_of(map(json.loads, pieces)) == scripts.token_text(5000)


def test_several_calls_come_a_line_each(client: Client, fake: FakeBackend) -> None:
    """A client that counts a call a line would lose all but the last."""
    fake.script("m", _calling(CITIES))
    lines = [json.loads(piece) for piece in read_raw(client, "/api/chat")]
    calls = [line["message"].get("tool_calls", []) for line in lines]
    assert [len(one) for one in calls] == [1, 1, 1, 0]
    told = [one[0]["function"] for one in calls if one]
    assert [(call["index"], call["arguments"]["city"]) for call in told] == list(enumerate(CITIES))
    assert [line["done"] for line in lines] == [False, False, False, True]


def test_several_calls_of_a_whole_answer_are_in_one_message(client: Client, fake: FakeBackend) -> None:
    fake.script("m", _calling(CITIES))
    calls = client.chat(stream=False).json["message"]["tool_calls"]
    assert [call["function"]["arguments"]["city"] for call in calls] == list(CITIES)


def test_an_error_behind_lines_of_the_same_read_is_a_piece_too(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.error_event_mid(2))
    pieces = [json.loads(piece) for piece in read_raw(client, "/api/chat")]
    assert list(pieces[-1]) == ["error"]
    assert text_of(pieces[:-1]) in REPLY_TEXT


def _calling(cities: Iterable[str]) -> Script:
    fragments = [
        fragment
        for number, city in enumerate(cities)
        for fragment in call_fragments(
            "get_weather", json.dumps({"city": city}), index=number, call_id=f"call_{number}"
        )
    ]
    return scripts.saying(Reply(tuple(fragments), "tool_calls"))
