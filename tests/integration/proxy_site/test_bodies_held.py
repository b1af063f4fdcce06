"""Bodies in memory: none where none is used, and a bound over all of them, over the wire."""

import gc
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ollama_api.request import ClientRequest
from tests.conftest import Serve
from tests.fake_backend import FakeBackend, Script, scripts
from tests.support import factories
from tests.support.process import ServedProcess
from tests.support.raw_http import Client, RawHTTP, chat_body, text_of
from tests.support.waiting import eventually

MIB = 1024 * 1024
MAX_BODY, MAX_BODIES = 32 * MIB, 40 * MIB
WITHOUT_BODY = {
    ("GET", "/"): 200,
    ("HEAD", "/"): 200,
    ("GET", "/api/version"): 200,
    ("GET", "/api/tags"): 200,
    ("GET", "/api/ps"): 200,
    ("GET", "/api/status"): 200,
    ("GET", "/api/experimental/model-recommendations"): 200,
    ("GET", "/v1/models"): 200,
    ("GET", "/v1/models/m"): 200,
    ("GET", "/v1/models/none/at/all"): 404,
    ("HEAD", f"/api/blobs/sha256:{'0' * 64}"): 404,
    ("POST", f"/api/blobs/sha256:{'0' * 64}"): 501,
    ("POST", "/api/me"): 200,
    ("POST", "/api/signout"): 401,
    ("DELETE", "/api/user/keys/ssh-ed25519"): 401,
    ("POST", "/nothing"): 404,
    ("GET", "/api/chat"): 405,
    ("POST", "/api/version"): 405,
    ("POST", "/api/chat/"): 307,
    ("GET", "/admin/login/"): 200,
}


@pytest.fixture(scope="module")
def backend() -> Iterator[FakeBackend]:
    with FakeBackend() as fake:
        yield fake


@pytest.fixture(scope="module")
def process(serve: Serve, backend: FakeBackend, tmp_path_factory: pytest.TempPathFactory) -> ServedProcess:
    return serve(
        DATABASE_URL=f"sqlite:///{tmp_path_factory.mktemp('bodies') / 'own.sqlite3'}",
        OPENAI_API_KEY="sk-bodies",
        OPENAI_BASE_URL=backend.base_url,
        LLAMAGATE_MAX_BODY_BYTES=str(MAX_BODY),
        LLAMAGATE_MAX_BODIES_BYTES=str(MAX_BODIES),
    )


def memory_bytes(process: ServedProcess) -> int:
    """Give the most memory that the process ever had."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize(("asked", "status"), WITHOUT_BODY.items(), ids=str)
def test_where_no_body_is_used_none_is_waited_for(
    client: Client, fake: FakeBackend, asked: tuple[str, str], status: int
) -> None:
    factories.route(fake)
    method, path = asked
    with RawHTTP(client.port) as connection:
        connection.send(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n".encode()
        )
        assert connection.head().status == status


def test_bodies_that_nobody_reads_take_no_memory(process: ServedProcess) -> None:
    before = memory_bytes(process)
    with ExitStack() as connections:
        for _ in range(6):
            connection = connections.enter_context(RawHTTP(process.port))
            connection.send(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n")
            connection.send(b"Content-Length: %d\r\n\r\n" % MAX_BODY)
            try:
                for _ in range(MAX_BODY // MIB - 1):
                    connection.send(b" " * MIB)
            except ConnectionError:
                continue  # it may hang up on what it does not read
            assert connection.head().status == 200
    assert memory_bytes(process) - before < 24 * MIB


SHAPES: dict[str, Callable[[dict[str, object]], object]] = {
    "/api/chat": lambda told: told["error"],
    "/v1/chat/completions": lambda told: told["error"]["message"],  # type: ignore[index]
    "/v1/messages": lambda told: told["error"]["message"],  # type: ignore[index]
}


@pytest.mark.parametrize("path", SHAPES)
def test_what_requests_hold_together_has_a_bound(
    process: ServedProcess, backend: FakeBackend, path: str
) -> None:
    backend.reset()
    backend.script("fake-model", scripts.held(after=1))
    large = "x" * (15 * MIB)
    small = chat_body(model="fake-model", stream=False, max_tokens=9)
    with ExitStack() as streams:
        chats = [streams.enter_context(process.client.open_chat(large, model="fake-model")) for _ in range(2)]
        assert [chat.head().status for chat in chats] == [200, 200]
        with RawHTTP(process.port) as third:  # told before it has sent anything of its body
            third.send(
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {15 * MIB}\r\n\r\n".encode()
            )
            answer = third.answer()
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert "as many request bodies as it may" in str(SHAPES[path](answer.json))
        assert process.client.get("/api/version").status == 200
        backend.script("fake-model", Script())
        assert process.client.post(path, small).status == 200, "what has room is served"
        backend.release("go")
        assert [list(chat.lines())[-1]["done"] for chat in chats] == [True, True]
    assert len(process.wait_logged("request bodies at their limit")) >= 1
    assert text_of(process.client.chat(large, model="fake-model").lines)


def test_what_compressed_bodies_hold_counts_as_they_expand(
    process: ServedProcess, backend: FakeBackend
) -> None:
    """Each is 15 KiB on its way: what it expands to is what is held, and the third has no room for it."""
    backend.reset()
    backend.script("fake-model", scripts.held(after=1))
    body = chat_body("x" * (15 * MIB), model="fake-model", stream=True)
    path, sent = "/v1/chat/completions", gzip.compress(json.dumps(body).encode())
    assert len(sent) < 20_000
    packed = {"Content-Encoding": "gzip"}
    with ExitStack() as streams:
        held = [streams.enter_context(process.client.open("POST", path, sent, packed)) for _ in range(2)]
        assert [stream.head().status for stream in held] == [200, 200]
        answer = process.client.call("POST", path, sent, packed)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "as many request bodies as it may" in answer.json["error"]["message"]
        backend.release("go")
        assert all(b"".join(stream.pieces()).endswith(b"data: [DONE]\n\n") for stream in held)
    backend.script("fake-model", Script())
    assert process.client.call("POST", path, sent, packed).status == 200


def leave_in_mid_stream(client: Client, fake: FakeBackend) -> None:
    fake.script("m", scripts.stall_mid_stream(2))
    with client.open_chat() as chat:
        next(chat.answer_lines())
    fake.wait_aborted()


ENDS: dict[str, Callable[[Client, FakeBackend], object]] = {
    "streamed": lambda client, fake: client.chat(),
    "whole": lambda client, fake: client.chat(stream=False),
    "passed": lambda client, fake: client.post("/v1/chat/completions", chat_body(stream=True)),
    "refused": lambda client, fake: client.post("/api/chat", [1]),
    "left": leave_in_mid_stream,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_request_that_is_over_is_freed_at_once(
    client: Client, fake: FakeBackend, end: Callable[[Client, FakeBackend], object]
) -> None:
    """What is counted as given back is not kept by a circle until the collector comes."""
    factories.route(fake)
    assert client.chat().status == 200
    gc.collect()
    eventually(lambda: not _requests(), 3.0, "the end of what came before")
    gc.disable()
    try:
        end(client, fake)
        eventually(lambda: not _requests(), 3.0, "the request's end")
    finally:
        gc.enable()


def _requests() -> int:
    return sum(type(held) is ClientRequest for held in gc.get_objects())
