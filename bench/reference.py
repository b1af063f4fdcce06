"""The floor: the same translation with nothing around it, for a comparison within one run.

A raw ASGI application under the same Uvicorn that answers Ollama's `/api/chat` from one OpenAI-compatible
server: no Django, no routing, no keys, no error handling worth the name. Times differ from machine to
machine and from day to day; the ratio to this relay, measured in the same minutes, differs far less.

    python -m bench.reference --port 9200 --upstream 127.0.0.1:9100
"""

import argparse
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import uvicorn

from bench.wire import Connection

type_json = (b"content-type", b"application/json; charset=utf-8")
type_ndjson = (b"content-type", b"application/x-ndjson")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Options(msgspec.Struct):
    """The options of Ollama that are translated."""

    num_predict: int | None = None
    seed: int | None = None


class OllamaChat(msgspec.Struct):
    """A request of Ollama's `/api/chat`; plain messages are the same on both sides."""

    model: str
    messages: msgspec.Raw
    options: Options
    stream: bool = True


class StreamOptions(msgspec.Struct):
    """OpenAI's `stream_options`."""

    include_usage: bool = True


class OpenAIChat(msgspec.Struct, omit_defaults=True):
    """An OpenAI chat completion request."""

    model: str
    messages: msgspec.Raw
    max_tokens: int | None = None
    seed: int | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None


class Content(msgspec.Struct):
    """A message or a delta."""

    content: str = ""


class Choice(msgspec.Struct):
    """One choice of a completion or of a chunk."""

    message: Content | None = None
    delta: Content | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """Token counts."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(msgspec.Struct):
    """A completion or a chunk of one."""

    choices: list[Choice]
    usage: Usage | None = None


_encode = msgspec.json.encode
_decode_request = msgspec.json.Decoder(OllamaChat).decode
_decode_completion = msgspec.json.Decoder(Completion).decode


class Translation:
    """One answer on its way from OpenAI's form to Ollama's."""

    def __init__(self, model: str) -> None:
        """Start the clock."""
        self._start = time.monotonic_ns()
        self._model = _encode(model)
        self._rest = b""
        self._finish_reason: str | None = None
        self._usage = Usage()

    def events(self, data: bytes) -> Iterator[bytes]:
        """Split what came into whole events; the part of one that is left over waits for the next call."""
        *events, self._rest = (self._rest + data).split(b"\n\n")
        return (event[6:] for event in events)

    def feed(self, data: bytes) -> bytes:
        """Turn a part of an event stream into lines."""
        created = datetime.now(UTC).isoformat().encode()
        head = b'{"model":%b,"created_at":"%b","message":{"role":"assistant","content":' % (
            self._model,
            created,
        )
        lines = []
        for event in self.events(data):
            if event == b"[DONE]":
                continue
            chunk = _decode_completion(event)
            self._usage = chunk.usage or self._usage
            for choice in chunk.choices:
                self._finish_reason = choice.finish_reason or self._finish_reason
                if choice.delta is not None and choice.delta.content:
                    lines.append(head + _encode(choice.delta.content) + b'},"done":false}\n')
        return b"".join(lines)

    def last(self, content: str = "") -> bytes:
        """Return the line that ends a stream, or a whole answer."""
        return (
            b'{"model":%b,"created_at":"%b","message":{"role":"assistant","content":%b},"done":true,'
            b'"done_reason":%b,"total_duration":%d,"prompt_eval_count":%d,"eval_count":%d}\n'
        ) % (
            self._model,
            datetime.now(UTC).isoformat().encode(),
            _encode(content),
            _encode(self._finish_reason),
            time.monotonic_ns() - self._start,
            self._usage.prompt_tokens,
            self._usage.completion_tokens,
        )

    def whole(self, body: bytes) -> bytes:
        """Turn a non-streaming answer over."""
        completion = _decode_completion(body)
        choice = completion.choices[0]
        self._finish_reason, self._usage = choice.finish_reason, completion.usage or self._usage
        return self.last(choice.message.content if choice.message else "")


class Relay:
    """The ASGI application."""

    def __init__(self, host: str, port: int) -> None:
        """Remember where the upstream is."""
        self._host, self._port = host, port
        self._idle: list[Connection] = []
        self._head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] != "/api/chat":
            await _respond(send, b"the reference relay is running\n")
            return
        request = _decode_request(await _body(receive))
        connection = self._idle.pop() if self._idle else await Connection.open(self._host, self._port)
        connection.send(self._upstream_request(request))
        translation = Translation(request.model)
        if request.stream:
            await _stream(connection, translation, send)
        else:
            await _respond(send, translation.whole(await connection.read_whole()))
        self._idle.append(connection)

    def _upstream_request(self, request: OllamaChat) -> bytes:
        options = request.options
        chat = OpenAIChat(request.model, request.messages, options.num_predict, options.seed)
        if request.stream:
            chat.stream, chat.stream_options = True, StreamOptions(include_usage=True)
        body = _encode(chat)
        return f"{self._head}content-length: {len(body)}\r\n\r\n".encode() + body


async def _body(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _respond(send: Send, body: bytes) -> None:
    headers = [type_json, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(connection: Connection, translation: Translation, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [type_ndjson]})
    while data := await connection.read():
        if lines := translation.feed(data):
            await send({"type": "http.response.body", "body": lines, "more_body": True})
    await send({"type": "http.response.body", "body": translation.last()})


def main() -> None:
    """Run the relay."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.reference", description="The floor to compare with."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, metavar="HOST:PORT")
    arguments = parser.parse_args()
    upstream_host, _, upstream_port = arguments.upstream.rpartition(":")
    uvicorn.run(
        Relay(upstream_host, int(upstream_port)),
        host=arguments.host,
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
