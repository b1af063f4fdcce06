"""The client door called in this thread, over a backend that is a function: no socket, no server."""

import asyncio
import json
import time
from collections.abc import Iterable, MutableMapping
from typing import Any, Self

import pytest

from backends.upstream import transport
from proxy_site.asgi import clients

from .raw_http import Answer

Message = MutableMapping[str, Any]
RawHeaders = Iterable[tuple[bytes, bytes]]
CALL = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": '{"zone": "UTC"}'}}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


class InProcess:
    """Calls the ASGI application. What it raises is raised here: a server would make a 500 of it."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.times_s: list[float] = []
        """What each call cost, in CPU time of this process: a wall clock would time its neighbours too."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def call(self, method: str, path: str, body: bytes = b"", headers: RawHeaders = ()) -> Answer:
        """Make one request; `path` is decoded, as servers hand it over."""
        scope = _scope(method, path, [(b"host", b"localhost"), *headers])
        began = time.process_time()
        answer = self._runner.run(_answer(scope, body))
        self.times_s.append(time.process_time() - began)
        return answer


def _scope(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> Message:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 11434),
    }


async def _answer(scope: Message, body: bytes) -> Answer:
    asked: list[Message] = [{"type": "http.request", "body": body}]
    said: list[Message] = []

    async def receive() -> Message:
        if not asked:
            await asyncio.Event().wait()  # this client stays
        return asked.pop()

    async def send(message: Message) -> None:
        said.append(message)

    await clients(scope, receive, send)
    head, *parts = said
    headers = {name.decode(): value.decode("latin1") for name, value in head["headers"]}
    return Answer(head["status"], headers, b"".join(part["body"] for part in parts))


# The backend


class _Content:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.total_bytes = len(data)

    async def readany(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def at_eof(self) -> bool:
        return not self._data

    def exception(self) -> None:
        return None


class _Response:
    """As much of aiohttp's response as the caller looks at."""

    status = 200
    reason = "OK"

    def __init__(self, content_type: str, data: bytes) -> None:
        self.content_type = content_type
        self.headers = {"Content-Type": content_type}
        self.content = _Content(data)

    def release(self) -> None:
        """Nothing is held."""

    close = release


def stub_backend(monkeypatch: pytest.MonkeyPatch, models: Iterable[str]) -> None:
    """Put a backend in place that answers whatever it is asked, as long as that is JSON or a form."""

    async def request(upstream: Any, sent: transport.OutgoingRequest, secret: str) -> _Response:
        transport.prepare(upstream.base_url, "bearer", "", sent.path, sent.accept, sent.content_type)
        if sent.path == "/models":
            return _json({"object": "list", "data": [{"id": model} for model in models]})
        return _reply(sent.path, _asked(sent.body or b"", sent.content_type))

    monkeypatch.setattr(transport, "request", request)


def _asked(body: bytes, content_type: str) -> dict[str, Any]:
    """Read what came: strictly, for backends do."""
    if content_type != "application/json":
        return {}
    asked = json.loads(body.decode(), parse_constant=_refuse, parse_int=_integer)
    if not isinstance(asked, dict):
        raise TypeError(f"sent to the backend: {body!r}")
    return asked


def _integer(text: str) -> int:
    """Python would refuse numbers of thousands of digits, which JSON allows."""
    return int(text[:400])


def _refuse(name: str) -> None:
    raise ValueError(f"sent to the backend: {name}")


def _reply(path: str, asked: dict[str, Any]) -> _Response:
    if path == "/embeddings":
        given = asked.get("input")
        count = len(given) if isinstance(given, list) else 1
        vectors = [{"index": index, "embedding": [0.6, 0.8]} for index in range(count)]
        return _json({"object": "list", "data": vectors, "usage": USAGE})
    message: dict[str, Any] = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"}
    if asked.get("tools"):
        message["tool_calls"] = [{"index": 0, **CALL}]
    said = {"text": "Hi"} if path == "/completions" else {}
    if asked.get("stream") is not True:
        return _json({"choices": [{"message": message, "finish_reason": "stop", **said}], "usage": USAGE})
    chunk = json.dumps({"choices": [{"delta": message, **said}]})
    last = json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE})
    return _Response("text/event-stream", f"data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\n".encode())


def _json(value: Any) -> _Response:
    return _Response("application/json", json.dumps(value).encode())
