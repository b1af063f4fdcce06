"""Every ready-made script does what its name says."""

import gzip
import http.client
import json
import re
import time

import pytest

from . import REPLY_TEXT, FakeBackend, Script, scripts
from .client import Client, events, finish_of, fragments_of, text_of
from .steps import Chunk, Done, Head, Send, Writes


def test_whose_turn_it_is(fake: FakeBackend, client: Client) -> None:
    fake.script("*", scripts.saying("any"))
    fake.script("m", scripts.saying("always"))
    fake.script_once("m", scripts.status(503))
    fake.script_once("*", scripts.saying("once"))
    first = client.chat()
    assert (first.status, json.load(first)["error"]["type"]) == (503, "server_error")
    assert [text_of(client.stream()) for _ in range(3)] == ["once", "always", "always"]
    fake.script("m", None)
    assert text_of(client.stream()) == "any"
    fake.reset()
    assert text_of(client.stream()) == REPLY_TEXT
    assert len(fake.requests) == 1


def test_own_steps_and_routes(fake: FakeBackend, client: Client) -> None:
    own = Script([Head(), Send(b": hi\n\n"), Chunk({"a": 1}, "ping"), Done()], 201, {"X-A": "b"})
    fake.script("m", own)
    response = client.chat(stream=True)
    assert (response.status, response.headers["x-a"]) == (201, "b")
    assert response.read() == b': hi\n\nevent: ping\ndata: {"a":1}\n\ndata: [DONE]\n\n'
    fake.route("GET", "/props", scripts.json_body({"n_ctx": 512}))
    assert json.load(client.call("GET", "/props")) == {"n_ctx": 512}


def test_wait_is_released_by_the_test(fake: FakeBackend, client: Client) -> None:
    fake.script("m", scripts.held("token", after=2))
    response = client.chat(stream=True)
    stream = fake.wait_stream(lambda s: s.waiting == "token")
    assert stream.chunks_written == 3
    fake.release("token")
    assert text_of(events(response.read())) == REPLY_TEXT


@pytest.mark.parametrize("headers_first", [True, False])
def test_slow_first_token(fake: FakeBackend, client: Client, headers_first: bool) -> None:
    fake.script("m", scripts.slow_first_token(0.2, headers_first=headers_first))
    start = time.monotonic()
    response = client.chat(stream=True)
    head_s = time.monotonic() - start
    assert text_of(events(response.read())) == REPLY_TEXT
    assert (head_s < 0.2 <= time.monotonic() - start) is headers_first


@pytest.mark.parametrize(("interval", "writes"), [(0.0, "one"), (0.0, "each"), (0.01, "one")])
def test_tokens_come_at_their_pace(
    fake: FakeBackend, client: Client, interval: float, writes: Writes
) -> None:
    fake.script("m", scripts.tokens(20, interval, writes))
    start = time.monotonic()
    for _ in range(2):  # the second time from the bytes that are kept
        assert text_of(client.stream()) == scripts.token_text(20)
    assert time.monotonic() - start >= 2 * 19 * interval
    assert [stream.chunks_written for stream in fake.wait_finished(2)] == [23, 23]
    assert client.whole()["choices"][0]["message"]["content"] == scripts.token_text(20)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 100])
def test_odd_chunking_sends_the_same_bytes(fake: FakeBackend, client: Client, cut: int) -> None:
    expected = client.chat("echo: 😀 ü", stream=True).read()
    fake.script("m", scripts.odd_chunking(cut))
    assert client.chat("echo: 😀 ü", stream=True).read() == expected
    assert fake.wait_finished(2)[1].chunks_written == -(-len(expected) // cut)
    assert client.whole("echo: 😀")["choices"][0]["message"]["content"] == "😀"


def test_other_forms_of_the_same_stream(fake: FakeBackend, client: Client) -> None:
    plain = client.chat(stream=True).read()

    def body(script: Script) -> bytes:
        fake.script("m", script)
        return client.chat(stream=True).read()

    assert body(scripts.crlf()) == plain.replace(b"\n", b"\r\n")
    assert re.sub(rb": OPENROUTER PROCESSING\n\n", b"", body(scripts.comments())) == plain
    assert gzip.decompress(body(scripts.gzip_sse())) == plain
    assert body(scripts.no_done()) == plain.removesuffix(b"data: [DONE]\n\n")
    assert b'"stop"' not in body(scripts.no_finish())
    assert body(scripts.replay([plain[:9], plain[9:]])) == plain


CUTS: list[tuple[Script, type[Exception]]] = [
    (scripts.cut_mid_stream(2), http.client.IncompleteRead),
    (scripts.cut_mid_stream(2, half_event=True), http.client.IncompleteRead),
    (scripts.reset_mid_stream(2), ConnectionResetError),
    (scripts.short_body(), http.client.IncompleteRead),
    (scripts.close_without_answer(), http.client.RemoteDisconnected),
    (scripts.reset_without_answer(), ConnectionResetError),
    (scripts.not_http(), http.client.BadStatusLine),
]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("script", "error"), CUTS)
def test_broken_connections(
    fake: FakeBackend, client: Client, script: Script, error: type[Exception], streaming: bool
) -> None:
    fake.script("m", script)
    with pytest.raises(error):
        client.chat(stream=streaming).read()
    fake.wait_for(lambda: [stream.state for stream in fake.streams] == ["cut"])


@pytest.mark.parametrize(("half", "end"), [(False, b"\n\n"), (True, b'"fini')])
def test_what_is_sent_before_a_cut(fake: FakeBackend, client: Client, half: bool, end: bytes) -> None:
    fake.script("m", scripts.cut_mid_stream(2, half_event=half))
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.chat(stream=True).read()
    assert caught.value.partial.count(b"data: ") == 3 + half
    assert caught.value.partial.endswith(end)


def test_only_a_reused_connection_is_dropped(fake: FakeBackend, client: Client) -> None:
    fake.script("m", scripts.drop_reused())
    assert text_of(client.stream()) == REPLY_TEXT
    with pytest.raises(http.client.RemoteDisconnected):
        client.chat()
    assert text_of(client.stream()) == REPLY_TEXT


def test_answers_that_were_not_asked_for(fake: FakeBackend, client: Client) -> None:
    def answer(script: Script) -> tuple[int, str | None, bytes]:
        fake.script("m", script)
        response = client.chat(stream=True)
        return response.status, response.headers["content-type"], response.read()

    assert answer(scripts.html_200())[:2] == (200, "text/html; charset=utf-8")
    status, kind, body = answer(scripts.json_200_instead_of_sse(blank_lines=2))
    assert (status, kind, body[:3]) == (200, "application/json", b"\n\n{")
    assert json.loads(body)["choices"][0]["message"]["content"] == REPLY_TEXT
    assert answer(scripts.status(502, "bad gateway")) == (502, "text/plain", b"bad gateway")
    assert answer(scripts.model_not_found("m"))[0] == 404
    fake.script("m", scripts.redirect("http://127.0.0.1:1/"))
    redirected = client.chat()
    assert (redirected.status, redirected.headers["location"]) == (307, "http://127.0.0.1:1/")


def test_errors_under_status_200(fake: FakeBackend, client: Client) -> None:
    fake.script("m", scripts.error_event_first())
    assert client.stream()[0]["error"]["code"] == "context_length_exceeded"
    assert client.whole()["error"]["code"] == "context_length_exceeded"
    fake.script("m", scripts.error_event_mid(2, {"error": "boom"}, done=True))
    chunks = client.stream()
    assert (text_of(chunks[:-1]), chunks[-1]) == ("Hello from ", {"error": "boom"})


def test_what_models_do_with_tools(fake: FakeBackend, client: Client) -> None:
    fake.script("m", scripts.tool_calls_finish_stop())
    assert finish_of(client.stream()) == "stop"
    assert client.whole()["choices"][0]["message"]["tool_calls"]
    fake.script("m", scripts.text_and_tool_in_one_chunk())
    delta = client.stream()[1]["choices"][0]["delta"]
    assert delta["content"] and json.loads(delta["tool_calls"][0]["function"]["arguments"])
    fake.script("m", scripts.invalid_tool_arguments())
    text = "".join(call["function"]["arguments"] for call in fragments_of(client.stream()))
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(text)


@pytest.mark.parametrize("same_index", [True, False])
def test_parallel_calls_of_one_tool(fake: FakeBackend, client: Client, same_index: bool) -> None:
    fake.script("m", scripts.parallel_same_tool(same_index=same_index))
    fragments = fragments_of(client.stream())
    assert {call["id"] for call in fragments if "id" in call} == {"call_0", "call_1"}
    assert {call["index"] for call in fragments} == ({0} if same_index else {0, 1})
    calls = client.whole()["choices"][0]["message"]["tool_calls"]
    assert [json.loads(call["function"]["arguments"])["city"] for call in calls] == ["Paris", "Rome"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning(fake: FakeBackend, client: Client, field: str) -> None:
    fake.script("m", scripts.reasoning(field))
    message = client.whole()["choices"][0]["message"]
    assert (message[field], message["content"]) == ("Let me think. ", "Done.")
    assert client.stream()[1]["choices"][0]["delta"] == {field: "Let "}
