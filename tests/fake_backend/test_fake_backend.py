"""The fake backend must be right before it can show what is wrong with anything else."""

import base64
import http.client
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, Script, Stream, scripts, vector
from tests.fake_backend.client import Client, events, finish_of, fragments_of, raw_chat, text_of
from tests.fake_backend.steps import Hang, Head, Sleep, Step

NOTICED_S = 0.5
Json = dict[str, Any]


# What it says without a script


def test_chat_streams_role_words_finish_usage(client: Client) -> None:
    chunks = client.stream(stream_options={"include_usage": True})
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text_of(chunks) == REPLY_TEXT
    assert finish_of(chunks) == "stop"
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}


def test_chat_without_include_usage_sends_none(client: Client) -> None:
    assert not any("usage" in chunk for chunk in client.stream())


def test_whole_chat_says_the_same(client: Client) -> None:
    answer = client.whole()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": REPLY_TEXT}
    assert answer["usage"]["completion_tokens"] == 5


def test_echo_keeps_white_space_and_takes_content_parts(client: Client) -> None:
    assert text_of(client.stream("echo: zwei  Wörter\n😀")) == "zwei  Wörter\n😀"
    parts = [{"role": "user", "content": [{"type": "text", "text": "echo: part"}]}]
    assert client.whole(messages=parts)["choices"][0]["message"]["content"] == "part"


def test_max_tokens_cuts_the_reply(client: Client) -> None:
    chunks = client.stream(max_tokens=2)
    assert (text_of(chunks), finish_of(chunks)) == ("Hello from ", "length")


TOOLS = [
    {
        "type": "function",
        "function": {"name": "add", "parameters": {"properties": {"a": {"type": "integer"}}}},
    }
]


def test_tool_call_comes_in_fragments(client: Client) -> None:
    chunks = client.stream('use add {"a": 123456}', tools=TOOLS)
    header, *rest = fragments_of(chunks)
    assert (header["id"], header["function"]) == ("call_0", {"name": "add", "arguments": ""})
    assert len(rest) > 1
    assert json.loads("".join(part["function"]["arguments"] for part in rest)) == {"a": 123456}
    assert finish_of(chunks) == "tool_calls"


def test_tool_is_called_once_and_its_result_answered_with_words(client: Client) -> None:
    asked = [{"role": "user", "content": "use add"}]
    call = client.whole(messages=asked, tools=TOOLS)["choices"][0]["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"a": 7}
    after = [*asked, {"role": "tool", "tool_call_id": "call_0", "content": "7"}]
    assert client.whole(messages=after, tools=TOOLS)["choices"][0]["message"]["content"] == REPLY_TEXT


def test_legacy_completions(client: Client) -> None:
    body = {"model": "m", "prompt": "echo: old way"}
    assert json.load(client.call("POST", "/v1/completions", body))["choices"][0]["text"] == "old way"
    chunks = events(client.call("POST", "/v1/completions", {**body, "stream": True}).read())
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "old way"


def test_embeddings_depend_on_the_text_alone(client: Client) -> None:
    def embed(**fields: Any) -> Json:
        answer: Json = json.load(client.call("POST", "/v1/embeddings", {"model": "e", **fields}))
        return answer

    one, both = embed(input="a b"), embed(input=["a b", "c"])
    numbers = one["data"][0]["embedding"]
    assert numbers == both["data"][0]["embedding"] == vector("a b") != both["data"][1]["embedding"]
    assert sum(number**2 for number in numbers) != pytest.approx(1.0)
    assert (one["usage"]["prompt_tokens"], both["usage"]["prompt_tokens"]) == (2, 3)
    packed = base64.b64decode(embed(input="a b", encoding_format="base64")["data"][0]["embedding"])
    assert list(struct.unpack("<8f", packed)) == numbers
    assert len(embed(input="a", dimensions=300)["data"][0]["embedding"]) == 300
    assert embed(input=[1, 2])["data"] == embed(input=[[1, 2]])["data"]
    assert "'input'" in embed(input=[])["error"]["message"]
    assert "int8" in embed(input="a", encoding_format="int8")["error"]["message"]


def test_models_as_names_entries_or_anything(fake: FakeBackend, client: Client) -> None:
    fake.models = ["plain", {"id": "long", "max_model_len": 4096}]
    listed = json.load(client.call("GET", "/v1/models"))["data"]
    assert [(m["id"], m.get("max_model_len")) for m in listed] == [("plain", None), ("long", 4096)]
    fake.models = scripts.json_body([{"id": "bare"}])
    assert json.load(client.call("GET", "/models")) == [{"id": "bare"}]
    fake.models = scripts.html_200()
    assert client.call("GET", "/v1/models").read().startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/nothing", {}, 404),
        ("GET", "/v1/chat/completions", None, 405),
        ("POST", "/v1/chat/completions", b"{oops", 400),
    ],
)
def test_refusals_have_openais_shape(client: Client, method: str, path: str, body: Any, status: int) -> None:
    response = client.call(method, path, body)
    assert response.status == status
    assert json.load(response)["error"].keys() == {"message", "type", "param", "code"}


def test_required_key_and_recorded_requests(fake: FakeBackend, client: Client) -> None:
    fake.require_key = "secret"
    wrong = client.call("GET", "/v1/models?a=b", Authorization="Bearer wrong")
    assert (wrong.status, json.load(wrong)["error"]["code"]) == (401, "invalid_api_key")
    assert json.load(client.call("GET", "/v1/models", Authorization="Bearer secret"))["data"]
    assert json.load(client.call("GET", "/v1/models", **{"api-key": "secret"}))["data"]
    refused, allowed, _ = fake.requests
    assert (refused.method, refused.path, refused.query) == ("GET", "/v1/models", "a=b")
    assert refused.headers["authorization"] == "Bearer wrong"
    assert ("authorization", "Bearer secret") in allowed.header_list
    assert refused.time <= allowed.time <= time.monotonic()


def test_the_openai_sdk_understands_it(fake: FakeBackend) -> None:
    with openai.OpenAI(base_url=fake.base_url, api_key="k", max_retries=0) as sdk:
        stream = sdk.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == REPLY_TEXT
        assert sdk.embeddings.create(model="e", input="x").data[0].embedding == vector("x")
        assert [model.id for model in sdk.models.list()] == ["fake-model"]
        fake.script("m", scripts.rate_limited(7))
        with pytest.raises(openai.RateLimitError) as caught:
            sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.response.headers["retry-after"] == "7"


# The peer leaves


def say_goodbye(peer: socket.socket) -> None:
    """Send a FIN, even with answer bytes unread."""
    peer.shutdown(socket.SHUT_WR)


def close(peer: socket.socket) -> None:
    """Close as a client does: a FIN, or an RST if answer bytes are unread."""
    peer.close()


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


Seen = Callable[[Stream], object]
WINDOWS: dict[str, tuple[Script, bool, Seen]] = {
    "before the headers": (scripts.silent(), True, lambda s: not s.head_sent),
    "in a pause before the headers": (
        scripts.slow_first_token(60, headers_first=False),
        True,
        lambda s: not s.head_sent,
    ),
    "before the first token": (scripts.headers_then_silence(), True, lambda s: s.head_sent),
    "after late headers": (Script([Sleep(0.05), Head(), Hang()]), True, lambda s: s.head_sent),
    "between tokens": (scripts.stall_mid_stream(2), True, lambda s: s.chunks_written == 3),
    "between paced tokens": (scripts.tokens(10_000, 0.01), True, lambda s: s.chunks_written > 3),
    "while it waits for the test": (scripts.held(), True, lambda s: s.waiting == "go"),
    "while a write is blocked": (scripts.flood(), True, lambda s: s.blocked),
    "whole, before the headers": (scripts.silent(), False, lambda s: not s.head_sent),
    "whole, half of it sent": (scripts.stall_mid_stream(), False, lambda s: s.chunks_written == 1),
    "whole, while its write is blocked": (scripts.long_line(16 << 20), False, lambda s: s.blocked),
}


@pytest.mark.parametrize("leave", [say_goodbye, close, reset])
@pytest.mark.parametrize("window", WINDOWS)
def test_an_abort_is_noticed_at_once(
    fake: FakeBackend, window: str, leave: Callable[[socket.socket], None]
) -> None:
    script, streaming, reached = WINDOWS[window]
    fake.script("m", script)
    with socket.create_connection(("127.0.0.1", fake.port), timeout=5) as peer:
        peer.sendall(raw_chat(stream=streaming))
        sent = time.monotonic()
        stream = fake.wait_stream(reached)
        left = time.monotonic()
        assert stream.state == "open"
        assert left - sent < 3, "no change of the stream woke the waiting test"
        leave(peer)
        assert fake.wait_aborted(timeout=NOTICED_S) == [stream]
    assert stream.aborted_at is not None
    assert 0 <= stream.aborted_at - left < NOTICED_S
    fake.wait_for(lambda: fake.open_connections == 0, timeout=NOTICED_S)


def test_leaving_after_the_end_is_no_abort(fake: FakeBackend, client: Client) -> None:
    client.stream()
    client.http.close()
    fake.wait_for(lambda: fake.open_connections == 0)
    assert [stream.state for stream in fake.streams] == ["finished"]


def test_a_blocked_write_goes_on_when_the_peer_reads(fake: FakeBackend, client: Client) -> None:
    fake.script("m", scripts.long_line(16 << 20))
    response = client.chat(stream=True)
    stream = fake.wait_stream(lambda s: s.blocked)
    assert stream.chunks_written == 1
    assert len(text_of(events(response.read()))) == 16 << 20
    assert fake.wait_finished() == [stream]
    assert not stream.blocked


def test_back_pressure_comes_early_with_small_buffers() -> None:
    with FakeBackend(send_buffer=4096) as fake, socket.socket() as peer:
        fake.script("m", scripts.flood(1024))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(("127.0.0.1", fake.port))
        peer.sendall(raw_chat(stream=True))
        assert fake.wait_stream(lambda stream: stream.blocked).bytes_written < 64 * 1024


# Down and up, and its own faults


def test_down_and_up_again_on_the_same_port(fake: FakeBackend, client: Client) -> None:
    fake.script("held", scripts.held())
    client.whole()
    with Client(fake.port) as busy:
        response = busy.chat(model="held", stream=True)
        fake.stop_listening()
        fake.wait_for(lambda: fake.open_connections == 1, what="closed idle connection")
        with pytest.raises(ConnectionRefusedError), Client(fake.port) as refused:
            refused.whole()
        fake.release("go")
        assert text_of(events(response.read())) == REPLY_TEXT
    url = fake.base_url
    fake.start_listening()
    assert fake.base_url == url
    with Client(fake.port) as again:
        assert text_of(again.stream()) == REPLY_TEXT


def test_a_taken_port_is_refused(fake: FakeBackend) -> None:
    with pytest.raises(OSError, match="in use"):
        FakeBackend(port=fake.port).start()


def test_going_down_hard_resets_open_streams(fake: FakeBackend, client: Client) -> None:
    fake.script("m", scripts.stall_mid_stream())
    response = client.chat(stream=True)
    fake.stop_listening(drop=True)
    with pytest.raises(ConnectionResetError):
        response.read()


def test_an_error_in_a_script_is_raised_at_the_end() -> None:
    def broken(answer: object) -> list[Step]:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught, FakeBackend() as fake:
        fake.script("m", Script(broken))
        with pytest.raises(ConnectionResetError), Client(fake.port) as client:
            client.whole()
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)


def test_waiting_in_vain_tells_what_was_seen(fake: FakeBackend, client: Client) -> None:
    client.whole()
    with pytest.raises(TimeoutError, match=r"POST /v1/chat/completions.*m: finished after 1 chunks"):
        fake.wait_requests(2, timeout=0.05, path="/chat/completions")


def test_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.fake_backend", "--tokens", "3", "--model", "paced=2:0.01"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)/v1\n", line)
            assert found, line
            peer = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=5)
            for model, count in (("any", 3), ("paced", 2)):
                body = {"model": model, "messages": [], "stream": True}
                peer.request("POST", "/v1/chat/completions", json.dumps(body))
                assert text_of(events(peer.getresponse().read())) == scripts.token_text(count)
            peer.request("GET", "/stats")
            stats = {"connections": 1, "open": 0, "finished": 2, "cut": 0, "aborted": 0}
            assert json.load(peer.getresponse()) == stats
            peer.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)  # as `timeout` does: to the process, and to its group
        assert process.wait(timeout=5) == 0
