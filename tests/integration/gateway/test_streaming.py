"""A stream is whole or it says that it is not, whatever the backend does to it."""

import json
import socket
from typing import Any

import pytest

from tests.conftest import Change
from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, scripts
from tests.fake_backend.answers import Answer as FakeAnswer
from tests.fake_backend.steps import Chunk, Close, Done, Flood, Hang, Head, Raw, Reset, Send, Step, Wait
from tests.support import factories
from tests.support.raw_http import Answer, Client, chat_body, text_of
from tests.support.waiting import PATIENCE_S

OVERFLOW = {"error": {"message": "The context length is 4096.", "code": 400}}


@pytest.fixture(autouse=True)
def _route(database: None, fake: FakeBackend) -> None:
    factories.route(fake)


def assert_whole(answer: Answer, text: str = REPLY_TEXT) -> None:
    """All of the text, and one last line that says so."""
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert text_of(answer.lines) == text
    assert [line["done"] for line in answer.lines] == [False] * (len(answer.lines) - 1) + [True]
    assert answer.lines[-1]["done_reason"] == "stop"


def assert_broken_off(answer: Answer) -> None:
    """Some text came, then an error line, which is the last and not `done`."""
    assert answer.status == 200
    assert "error" in answer.lines[-1]
    assert not any("error" in line or line["done"] for line in answer.lines[:-1])


WHOLE = {
    "ordinary": Script(),
    "slow first token": scripts.slow_first_token(0.2),
    "slow before the headers": scripts.slow_first_token(0.2, headers_first=False),
    "comments between events": scripts.comments(),
    "CR LF": scripts.crlf(),
    "no [DONE] after the finish": scripts.no_done(),
    "every byte in its own write": scripts.odd_chunking(1),
    "cut through events": scripts.odd_chunking(37),
    "JSON instead of SSE": scripts.json_200_instead_of_sse(),
    "JSON behind blank lines": scripts.json_200_instead_of_sse(blank_lines=3),
}


@pytest.mark.parametrize("script", WHOLE.values(), ids=WHOLE)
def test_a_stream_is_whole(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("m", script)
    assert_whole(client.chat())


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_of_http_1_0_gets_no_chunks(client: Client, streams: bool) -> None:
    """It does not know them: the end of a stream is the end of the connection."""
    body = json.dumps(chat_body(stream=streams)).encode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=5) as connection:
        connection.sendall(b"POST /api/chat HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, lines = said.partition(b"\r\n\r\n")
    assert (head[:15], b"transfer-encoding" in head, b"content-length" in head) == (
        b"HTTP/1.1 200 OK",
        False,
        not streams,
    )
    assert b"connection: close" in head
    told = [json.loads(line) for line in lines.splitlines()]
    assert (text_of(told), told[-1]["done"]) == (REPLY_TEXT, True)


@pytest.mark.parametrize("script", WHOLE.values(), ids=WHOLE)
def test_a_generated_stream_is_whole(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("m", script)
    assert_whole(client.post("/api/generate", {"model": "m", "prompt": "hi"}))


@pytest.mark.parametrize("script", WHOLE.values(), ids=WHOLE)
def test_a_whole_answer_is_whole(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("m", script)
    answer = client.chat(stream=False)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.json["message"] == {"role": "assistant", "content": REPLY_TEXT}
    assert answer.json["done"] is True


def test_any_cut_of_the_bytes_gives_the_same_lines(client: Client, fake: FakeBackend) -> None:
    """Every character of the text takes a different number of bytes, so some cuts go through them."""
    text = "a ä € 😀 \u2028 \x85 end"
    seen = set()
    for cut in (1, 2, 3, 5, 11, 64, 1000):
        fake.script_once("m", scripts.odd_chunking(cut))
        lines = client.chat(f"echo: {text}").lines
        seen.add(tuple(line["message"]["content"] for line in lines))
    assert len(seen) == 1
    assert "".join(seen.pop()) == text


def _then(*ends: Step, half_event: bool = False) -> Script:
    """Say two words, wait until the client has them, then end."""

    def play(answer: FakeAnswer) -> list[Step]:
        half: list[Step] = [Send(answer.content[2].encode()[:-20])] if half_event else []
        return [*answer.opening, *answer.content[:2], Wait("go"), *half, *ends]

    return Script(play)


ERROR = Chunk({"error": {"message": "The model has crashed.", "type": "server_error"}})
BROKEN_OFF = {
    "cut": _then(Close()),
    "cut in an event": _then(Close(), half_event=True),
    "reset": _then(Reset()),
    "reset in an event": _then(Reset(), half_event=True),
    "ended without a finish": _then(),
    "error event": _then(ERROR),
    "error event, then [DONE]": _then(ERROR, Done()),
    "event that is no JSON": _then(Send(b'data: {"choices": [\n\n')),
}


@pytest.mark.parametrize("script", BROKEN_OFF.values(), ids=BROKEN_OFF)
def test_a_broken_stream_ends_with_an_error_line(client: Client, fake: FakeBackend, script: Script) -> None:
    fake.script("m", script)
    with client.open_chat() as chat:
        assert chat.head().status == 200
        lines = chat.lines()
        assert [next(lines)["message"]["content"] for _ in range(2)] == ["Hello ", "from "]
        fake.release("go")
        (last,) = lines
    assert list(last) == ["error"]


IN_ONE_READ = {
    "error event": scripts.error_event_mid(2),
    "error event, then [DONE]": scripts.error_event_mid(2, done=True),
    "event that is no JSON": Script(lambda answer: [*answer.steps[:3], Send(b"data: {\n\n")]),
    "no finish": scripts.no_finish(),
}


@pytest.mark.parametrize("script", IN_ONE_READ.values(), ids=IN_ONE_READ)
def test_text_that_came_before_a_failure_is_kept(client: Client, fake: FakeBackend, script: Script) -> None:
    """Also when one read brings both."""
    fake.script("m", script)
    answer = client.chat()
    assert_broken_off(answer)
    assert text_of(answer.lines[:-1]).startswith("Hello from ")


def test_an_error_event_tells_its_message(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.error_event_mid(1))
    assert "The model has crashed." in client.chat().error


def test_a_stalled_stream_ends_with_an_error_line(client: Client, fake: FakeBackend, change: Change) -> None:
    change(idle_timeout_s=PATIENCE_S)
    fake.script("m", scripts.stall_mid_stream(2))
    answer = client.chat()
    assert_broken_off(answer)
    assert "timed out" in answer.error
    fake.wait_aborted(timeout=1.0)


def test_slow_but_steady_is_no_stall(client: Client, fake: FakeBackend, change: Change) -> None:
    change(idle_timeout_s=PATIENCE_S)
    fake.script("m", scripts.tokens(6, interval=PATIENCE_S / 4))
    assert_whole(client.chat(), scripts.token_text(6))


def test_what_comes_after_done_is_ignored(client: Client, fake: FakeBackend) -> None:
    fake.script("m", Script(lambda answer: [*answer.steps, *answer.steps]))
    assert_whole(client.chat())


REFUSED: dict[str, tuple[Script, int, str]] = {
    "error event first": (scripts.error_event_first(OVERFLOW), 400, "context length"),
    # The text says whose fault it is, also where no status does: another backend would not help.
    "error event first, without a status": (scripts.error_event_first(), 400, "context length"),
    "error event first, that tells nothing": (
        scripts.error_event_first({"error": {"message": "The model has crashed."}}),
        502,
        "crashed",
    ),
    "error event first, with a word": (
        scripts.error_event_first({"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}),
        429,
        "Slow down.",
    ),
    "500 that is the request's fault": (
        scripts.status(500, {"error": {"code": 500, "message": "Failed to parse messages: no role"}}),
        400,
        "Failed to parse messages",
    ),
    "500 for an image without a projector": (
        scripts.status(500, {"error": {"message": "image input is not supported - provide the mmproj"}}),
        400,
        "mmproj",
    ),
    "429 for want of money": (
        scripts.status(429, {"error": {"message": "Check your plan.", "code": "insufficient_quota"}}),
        502,
        "credentials",
    ),
    "HTML with 200": (scripts.html_200(), 502, "no answer"),
    "gzip": (scripts.gzip_sse(), 502, "no answer"),
    "not HTTP": (scripts.not_http(), 502, "before it finished"),
    "closed without an answer": (scripts.close_without_answer(), 502, "before it finished"),
    "reset without an answer": (scripts.reset_without_answer(), 502, "before it finished"),
    "cut before the first token": (scripts.cut_mid_stream(0), 502, "before it finished"),
    "400": (scripts.status(400, {"error": {"message": "temperature is too hot"}}), 400, "is too hot"),
    "404": (scripts.model_not_found("m"), 404, "The model `m` does not exist"),
    "413": (scripts.status(413, "too much"), 400, "too much"),
    "422": (scripts.status(422, {"detail": [{"msg": "field required"}]}), 400, "field required"),
    "429": (scripts.rate_limited(), 429, "Rate limit reached."),
    "500": (scripts.status(500, {"error": {"message": "out of memory"}}), 502, "out of memory"),
    "503": (scripts.status(503, {"error": {"message": "loading"}}), 503, "loading"),
}


@pytest.mark.parametrize(("script", "status", "text"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_refusal_before_the_first_byte_has_a_status_of_its_own(
    client: Client, fake: FakeBackend, script: Script, status: int, text: str, stream: bool
) -> None:
    fake.script("m", script)
    answer = client.chat(stream=stream)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert list(answer.json) == ["error"]
    assert text in answer.error


SILENT = {"before the head": scripts.silent(), "behind it": Script([Head(), Hang()], framing="chunked")}


@pytest.mark.parametrize("script", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_silence_before_the_first_token_times_out(
    client: Client, fake: FakeBackend, change: Change, script: Script, stream: bool
) -> None:
    change(first_token_timeout_s=PATIENCE_S, request_timeout_s=PATIENCE_S)
    fake.script("m", script)
    answer = client.chat(stream=stream)
    assert (answer.status, "timed out" in answer.error) == (504, True)
    fake.wait_aborted(timeout=1.0)


@pytest.mark.parametrize(("given", "passed"), [(7, "7"), ("2.2", "3"), (None, None), (100_000, "120")])
def test_retry_after_is_passed_on_and_bounded(
    client: Client, fake: FakeBackend, given: Any, passed: str | None
) -> None:
    fake.script("m", scripts.rate_limited(given))
    answer = client.chat()
    assert (answer.status, answer.headers.get("retry-after")) == (429, passed)


@pytest.mark.parametrize("code", [401, 402, 403])
def test_a_refused_credential_is_our_fault_and_its_text_stays_here(
    client: Client, fake: FakeBackend, code: int
) -> None:
    text = "Incorrect API key provided: sk-proj-abcdef. Organisation org-secret."
    fake.script("m", scripts.status(code, {"error": {"message": text}}))
    answer = client.chat()
    assert answer.status == 502
    assert "credentials" in answer.error
    assert not any(word in answer.text for word in ("sk-", "org-", "Incorrect"))


def test_a_key_echoed_by_a_backend_is_redacted(client: Client, fake: FakeBackend) -> None:
    text = "bad request with sk-proj-abcdefgh12345678 to https://internal.example/v1"
    fake.script("m", scripts.status(400, {"error": {"message": text}}))
    answer = client.chat()
    assert (answer.status, "bad request with" in answer.error) == (400, True)
    assert not any(word in answer.text for word in ("sk-proj", "internal.example"))


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_no_key_travels(client: Client, fake: FakeBackend, code: int) -> None:
    factories.mapping("keyed", factories.backend(fake, "keyed", api_key="sk-must-not-travel"))
    with FakeBackend() as canary:
        fake.script("keyed", scripts.redirect(f"{canary.base_url}/chat/completions", code))
        answer = client.chat(model="keyed")
        assert (answer.status, canary.requests, canary.open_connections) == (502, [], 0)
    assert fake.requests[-1].headers["authorization"] == "Bearer sk-must-not-travel"


def test_a_short_body_is_no_answer(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.short_body())
    whole = client.chat(stream=False)
    assert (whole.status, "before it finished" in whole.error) == (502, True)


def _endless_line(answer: Any) -> list[Any]:
    return [*answer.opening, Send(b"data: "), Flood(b"x" * 65_536)]


def test_an_endless_line_is_bounded(client: Client, fake: FakeBackend) -> None:
    fake.script("m", Script(_endless_line, framing="chunked"))
    answer = client.chat()
    seen = answer.status, "no answer" in answer.error
    assert seen in ((502, True), (200, True))
    (stream,) = fake.wait_aborted(timeout=1.0)
    assert stream.bytes_written < 32 * 1024 * 1024


def test_endless_headers_are_bounded(client: Client, fake: FakeBackend) -> None:
    endless = [Raw(b"HTTP/1.1 200 OK\r\n"), *(Raw(b"x-%d: %s\r\n" % (n, b"y" * 4000)) for n in range(500))]
    fake.script("m", Script([*endless, Raw(b"\r\n"), Close()]))
    answer = client.chat()
    assert answer.status == 502


def test_a_long_line_within_the_bound_passes(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.long_line(2_000_000))
    assert_whole(client.chat(), "x" * 2_000_000)


def test_the_first_line_does_not_wait_for_the_second(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.held(after=1))
    with client.open_chat() as chat:
        assert chat.head().status == 200
        lines = chat.lines()
        assert next(lines)["message"]["content"] == "Hello "
        assert not chat.has_something_to_read()
        fake.release("go")
        assert text_of(lines) == "from the fake backend."


def test_a_head_without_a_token_is_no_answer_yet(client: Client, fake: FakeBackend) -> None:
    """The status waits for the first token: a backend that dies before it gets a status of its own."""
    fake.script("m", Script([Head(), Reset()]))
    assert client.chat().status == 502


def test_heartbeats_alone_are_no_answer(client: Client, fake: FakeBackend) -> None:
    fake.script("m", Script([*[Send(b": keep-alive\n\n")] * 3, Close()]))
    assert client.chat().status == 502
