"""The fake backend: a loop in a thread, and what tests say to it."""

import asyncio
import itertools
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

import msgspec

from .connection import Connection
from .ledger import Ledger
from .records import Request, Stream, StreamState
from .routing import Models, Routing, Rule
from .steps import Script, Send

T = TypeVar("T")
TIMEOUT = 5.0


class FakeBackend:
    """A scripted OpenAI-compatible server on a real socket.

        with FakeBackend() as fake:
            fake.script("slow", scripts.slow_first_token(2.0))
            ...  # requests to fake.base_url
            fake.wait_aborted(timeout=1.0)

    All methods may be called from any thread at any time. The port stays the fake's own until it is
    closed, also while it does not listen. An error inside a script is raised when the block is left.

    Args:
        host: An IPv4 address to listen on.
        port: 0 takes a free one.
        models: What `GET /models` lists: names, or objects with an `id` and what a backend adds to it
            (`max_model_len`, `meta`), or a script for anything else. Any name is served, listed or not.
        require_key: Other keys, or none, get a 401.
        keep: How many requests and streams are remembered; None for all.
        send_buffer: Bytes of the kernel's buffer for a connection, to meet back-pressure early.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        models: Models = ("fake-model",),
        require_key: str | None = None,
        keep: int | None = None,
        send_buffer: int | None = None,
    ) -> None:
        self.ledger = Ledger(keep)
        self.connections: set[Connection] = set()
        self._routing = Routing(models, require_key)
        self._initial = models, require_key
        self._host, self._port, self._send_buffer = host, port, send_buffer
        self._numbers = itertools.count(1)
        self._released: dict[str, asyncio.Event] = {}
        self._server: asyncio.Server | None = None
        self.route("GET", "/stats", Script(lambda _: [Send(msgspec.json.encode(self.ledger.counts()))]))

    # Life

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()
        inside = self.ledger.errors
        if inside and error is None:
            raise BaseExceptionGroup("errors inside the fake backend", inside)
        if inside and error is not None:
            error.add_note(f"errors inside the fake backend: {inside}")

    def start(self) -> Self:
        """Take the port and listen.

        Raises:
            OSError: the port is taken.
        """
        self._reserved = _bound(self._host, self._port)
        self._port = self._reserved.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-backend", daemon=True)
        self._thread.start()
        self.start_listening()
        return self

    def close(self) -> None:
        """Reset all connections and end the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()
        self._reserved.close()

    def start_listening(self) -> None:
        """Be up again, on the same port."""
        self._call(self._listen())

    def stop_listening(self, *, drop: bool = False) -> None:
        """Be down: refuse connections and close idle ones. Open streams go on unless dropped."""
        self._call(self._stop_listening(drop))

    # Where it is

    @property
    def port(self) -> int:
        return self._port

    @property
    def base_url(self) -> str:
        return f"http://{self._host}:{self._port}/v1"

    # What it does

    def script(self, model: str, script: Script | Rule | None) -> None:
        """Say how requests for a model are answered from now on; `*` is any model, None the ordinary way.

        A rule is a function from the request to a script, or to None.
        """
        self._routing.script(model, script)

    def script_once(self, model: str, script: Script) -> None:
        """Say how one more request for a model is answered; several are taken in order."""
        self._routing.script_once(model, script)

    def route(self, method: str, path: str, script: Script) -> None:
        """Serve another path, such as llama.cpp's `/props`; no key is asked for."""
        self._routing.route(method, path, script)

    def release(self, name: str) -> None:
        """Let every `Wait(name)` pass, those to come too."""
        self._loop.call_soon_threadsafe(lambda: self._event(name).set())

    @property
    def models(self) -> Models:
        return self._routing.models

    @models.setter
    def models(self, models: Models) -> None:
        self._routing.models = models

    @property
    def require_key(self) -> str | None:
        return self._routing.require_key

    @require_key.setter
    def require_key(self, key: str | None) -> None:
        self._routing.require_key = key

    def reset(self) -> None:
        """Forget scripts, releases and records, for a fake that several tests share; routes stay."""
        self._routing.forget_scripts()
        self._routing.models, self._routing.require_key = self._initial
        self._loop.call_soon_threadsafe(self._released.clear)
        self.ledger.clear()

    # What it saw

    @property
    def requests(self) -> list[Request]:
        """All requests, in the order they were complete."""
        return self.ledger.requests

    @property
    def streams(self) -> list[Stream]:
        """How the answers to POST requests went, streamed and whole ones."""
        return self.ledger.streams

    @property
    def open_connections(self) -> int:
        return self.ledger.connections

    def wait_for(
        self, predicate: Callable[[], T | None], timeout: float = TIMEOUT, what: str = "such state"
    ) -> T:
        """Wait until a predicate over this fake holds, looking again at every change.

        Raises:
            TimeoutError: it did not hold in time; the text says what the fake saw.
        """
        return self.ledger.wait_for(predicate, timeout, what)

    def wait_requests(self, n: int = 1, timeout: float = TIMEOUT, path: str = "") -> list[Request]:
        """Wait for `n` requests, or `n` whose path ends so."""

        def seen() -> list[Request]:
            found = [request for request in self.requests if request.path.endswith(path)]
            return found if len(found) >= n else []

        return self.wait_for(seen, timeout, f"{n} requests for {path or 'anything'}")

    def wait_stream(self, predicate: Callable[[Stream], object], timeout: float = TIMEOUT) -> Stream:
        """Wait until a stream is in some state, such as `lambda stream: stream.blocked`."""
        return self.wait_for(
            lambda: next((stream for stream in self.streams if predicate(stream)), None),
            timeout,
            "such stream",
        )

    def wait_aborted(self, n: int = 1, timeout: float = TIMEOUT) -> list[Stream]:
        """Wait until `n` answers were aborted by their peers."""
        return self._wait_streams("aborted", n, timeout)

    def wait_finished(self, n: int = 1, timeout: float = TIMEOUT) -> list[Stream]:
        """Wait until `n` answers were sent whole."""
        return self._wait_streams("finished", n, timeout)

    def _wait_streams(self, state: StreamState, n: int, timeout: float) -> list[Stream]:
        def seen() -> list[Stream]:
            found = [stream for stream in self.streams if stream.state == state]
            return found if len(found) >= n else []

        return self.wait_for(seen, timeout, f"{n} {state} streams")

    # For its connections, in its loop

    def choose(self, request: Request) -> Script:
        return self._routing.choose(request)

    async def wait_released(self, name: str) -> None:
        await self._event(name).wait()

    # In its loop

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT)

    def _event(self, name: str) -> asyncio.Event:
        return self._released.setdefault(name, asyncio.Event())

    async def _listen(self) -> None:
        if self._server is None:
            listener = _bound(self._host, self._port)
            if self._send_buffer is not None:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
            self._server = await self._loop.create_server(
                lambda: Connection(self, next(self._numbers)), sock=listener, backlog=1024
            )

    async def _stop_listening(self, drop: bool) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            if drop:
                connection.drop()
            elif connection.idle:
                connection.hang_up()

    async def _close(self) -> None:
        connections = list(self.connections)
        await self._stop_listening(drop=True)
        plays = asyncio.all_tasks() - {asyncio.current_task()}
        for play in plays:
            play.cancel()
        gone = (connection.gone.wait() for connection in connections)
        await asyncio.gather(*plays, *gone, return_exceptions=True)


def _bound(host: str, port: int) -> socket.socket:
    """Bind a socket. One that never listens keeps the port while nobody listens on it."""
    # With the protocol named: asyncio sets TCP_NODELAY on sockets that say they are TCP, and on no others.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
