"""A very cheap OpenAI-compatible server: every answer is encoded beforehand.

The request says how long the answer is (`max_tokens`) and which text it has (`seed`); the model's name says
how a stream is sent:

* `burst`: all chunks in one write;
* `writes`: one write per chunk, one right after the other;
* `paced-20ms`: one chunk every 20 milliseconds (any number will do).

    python -m bench.upstream --port 9100
"""

import argparse
import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import httptools
import msgspec
import uvloop

from bench.script import BURST, FINISH_REASON, PROMPT_TOKENS, WRITES, interval_of, paced, pieces, text

MODELS = (BURST, WRITES, paced(20))
GOLDEN_RATIO = 0.6180339887498949
TIMER_RESOLUTION = 0.001


class StreamOptions(msgspec.Struct):
    """OpenAI's `stream_options`."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The fields of a chat completion request that matter here."""

    model: str
    messages: msgspec.Raw
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    seed: int = 0
    stream: bool = False
    stream_options: StreamOptions | None = None

    @property
    def count(self) -> int | None:
        """The number of tokens asked for."""
        return self.max_completion_tokens or self.max_tokens


@dataclass(frozen=True)
class Stream:
    """A streamed answer as bytes, HTTP framing included."""

    head: bytes
    chunks: tuple[bytes, ...]
    tail: bytes


def json_response(value: object, status: str = "200 OK") -> bytes:
    """Encode a whole response."""
    body = msgspec.json.encode(value)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def error(message: str, status: str = "400 Bad Request") -> bytes:
    """Encode an error as OpenAI shapes it."""
    return json_response(
        {"error": {"message": message, "type": "invalid_request_error", "code": None}}, status
    )


@lru_cache(maxsize=1)
def model_list() -> bytes:
    """Encode the answer to `GET /v1/models`."""
    data = [{"id": name, "object": "model", "created": 1, "owned_by": "bench"} for name in MODELS]
    return json_response({"object": "list", "data": data})


def _usage(count: int) -> dict[str, int]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": count,
        "total_tokens": PROMPT_TOKENS + count,
    }


def _completion(model: str, choices: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-bench", "object": kind, "created": 1, "model": model, "choices": choices}


@lru_cache(maxsize=1024)
def whole_answer(model: str, seed: int, count: int) -> bytes:
    """Encode a non-streaming answer."""
    message = {"role": "assistant", "content": text(seed, count)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH_REASON}
    return json_response(_completion(model, [choice], "chat.completion") | {"usage": _usage(count)})


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(value: object) -> bytes:
    return _framed(b"data: %b\n\n" % msgspec.json.encode(value))


def _chunk(model: str, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _event(_completion(model, [choice], "chat.completion.chunk"))


@lru_cache(maxsize=1024)
def streamed_answer(model: str, seed: int, count: int, include_usage: bool) -> Stream:
    """Encode a streaming answer; every event is an HTTP chunk of its own, as real servers send it."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    last = [_chunk(model, {}, FINISH_REASON)]
    if include_usage:
        last.append(_event(_completion(model, [], "chat.completion.chunk") | {"usage": _usage(count)}))
    last.append(_framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    return Stream(
        head + _chunk(model, {"role": "assistant", "content": ""}),
        tuple(_chunk(model, {"content": piece}) for piece in pieces(seed, count)),
        b"".join(last),
    )


class Pacer:
    """Sends the parts of one stream at exact, evenly spaced times."""

    _started = itertools.count()

    def __init__(self, connection: "UpstreamConnection", parts: Iterator[bytes], interval: float) -> None:
        """Choose this stream's place within the interval and wait for it.

        Multiples of the golden ratio spread any number of streams evenly, so that each chunk is a read, a
        wake-up and a write of its own in the server under test, as with real models.
        """
        self._connection, self._parts, self._interval = connection, parts, interval
        phase = next(self._started) * GOLDEN_RATIO % 1.0 * interval
        now = time.monotonic()
        self._due = now - now % interval + interval + phase
        self._timer = self._schedule()

    def _schedule(self) -> asyncio.TimerHandle:
        delay = max(0.0, self._due - time.monotonic() - TIMER_RESOLUTION)
        return asyncio.get_running_loop().call_later(delay, self._send)

    def _send(self) -> None:
        # The loop's timers count whole milliseconds; the rest is slept away, which delays nothing that
        # matters.
        time.sleep(max(0.0, self._due - time.monotonic()))
        part = next(self._parts, None)
        if part is not None:
            self._connection.write_now(part)
            self._due += self._interval
            self._timer = self._schedule()

    def stop(self) -> None:
        """Send no more."""
        self._timer.cancel()


class UpstreamConnection(asyncio.Protocol):
    """One connection from the server under test."""

    def __init__(self) -> None:
        """Start unconnected."""
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._descriptor = -1
        self._path = b""
        self._body: list[bytes] = []
        self._pacer: Pacer | None = None

    def write_now(self, data: bytes) -> None:
        """Write without letting the event loop join this with other writes."""
        sent = 0
        if self._transport.get_write_buffer_size() == 0:
            try:
                sent = os.write(self._descriptor, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._transport.abort()
                return
        if sent < len(data):
            self._transport.write(data[sent:])

    def _respond(self, path: bytes, body: bytes) -> None:
        if path == b"/v1/models":
            self._transport.write(model_list())
        elif path == b"/v1/chat/completions":
            self._chat(body)
        else:
            self._transport.write(error("there is nothing at this path", "404 Not Found"))

    def _chat(self, body: bytes) -> None:
        try:
            request = _decode_request(body)
        except msgspec.MsgspecError as fault:
            self._transport.write(error(str(fault)))
            return
        if request.count is None:
            self._transport.write(error("max_tokens is required: it says how long the answer is"))
        elif not request.stream:
            self._transport.write(whole_answer(request.model, request.seed, request.count))
        else:
            self._stream(request.model, _stream_for(request, request.count))

    def _stream(self, model: str, stream: Stream) -> None:
        interval = interval_of(model)
        if interval is not None:
            parts = itertools.chain((stream.head,), stream.chunks, (stream.tail,))
            self._pacer = Pacer(self, parts, interval)
        elif model == WRITES:
            for part in (stream.head, *stream.chunks, stream.tail):
                self.write_now(part)
        else:
            self._transport.write(b"".join((stream.head, *stream.chunks, stream.tail)))

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)
        self._descriptor = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as fault:
            self._transport.write(error(str(fault)))
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop a stream that nobody reads any more."""
        if self._pacer is not None:
            self._pacer.stop()

    # httptools' callbacks

    def on_url(self, url: bytes) -> None:
        """Begin a request."""
        self._path = url
        self._body = []

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer the request, which is now whole."""
        self._respond(self._path, b"".join(self._body))


_decode_request = msgspec.json.Decoder(ChatRequest).decode


def _stream_for(request: ChatRequest, count: int) -> Stream:
    include_usage = request.stream_options is not None and request.stream_options.include_usage
    return streamed_answer(request.model, request.seed, count, include_usage)


async def serve(host: str, port: int) -> None:
    """Serve until the process is told to stop."""
    server = await asyncio.get_running_loop().create_server(UpstreamConnection, host, port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.upstream", description="A cheap, exact fake backend."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(arguments.host, arguments.port))


if __name__ == "__main__":
    main()
