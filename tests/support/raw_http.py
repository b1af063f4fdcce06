"""An HTTP client on a bare socket: says exactly what a test wants, and leaves as rudely as it wants."""

import json
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from .waiting import eventually

Json = dict[str, Any]
Headers = Mapping[str, str] | Iterable[tuple[str, str]]
TIMEOUT_S = 5.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class CutShort(Exception):
    """The server closed the connection in the middle of an answer."""


@dataclass(frozen=True)
class Answer:
    """A whole response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Json]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def error(self) -> str:
        """The sentence of an error answer, or of the error line that ends a stream."""
        return str(self.lines[-1]["error"])


class RawHTTP:
    """One connection."""

    def __init__(self, port: int, *, receive_buffer: int | None = None, timeout: float = TIMEOUT_S) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        if receive_buffer is not None:
            # Before the connection is made: the window is agreed on with it.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")
        self._method = ""
        self._is_chunked = False
        self._pending: deque[bytes] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    # What is said

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, method: str, path: str, body: Any = None, headers: Headers = ()) -> None:
        """Send a well-formed request; a body that is not bytes goes as JSON."""
        self._method = method
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = dict(headers)
        length = {"Content-Length": str(len(data))} if data or method == "POST" else {}
        lines = [f"{name}: {value}" for name, value in ({"Host": "localhost"} | length | given).items()]
        self.send("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + data)

    # What is heard

    def head(self) -> Answer:
        """Read status and headers; the body is still to come."""
        status = int(self._line().split(b" ")[1])
        headers: dict[str, str] = {}
        while line := self._line().rstrip():
            name, _, value = line.decode("latin1").partition(":")
            headers[name.lower()] = value.strip()
        self._is_chunked = headers.get("transfer-encoding") == "chunked"
        return Answer(status, headers, b"")

    def answer(self) -> Answer:
        """Read a whole response."""
        head = self.head()
        if self._method == "HEAD" or head.status in (204, 304):
            return head
        body = b"".join(iter(self._chunk, b"")) if self._is_chunked else self._sized(head)
        return Answer(head.status, head.headers, body)

    def answer_lines(self) -> Iterator[Json]:
        """Read the head of a stream, then its lines."""
        head = self.head()
        if head.status != 200:
            raise ValueError(f"no stream: status {head.status}")
        return self.lines()

    def lines(self) -> Iterator[Json]:
        """Read the NDJSON lines of a chunked body as they come; a later call goes on where one stopped."""
        while self._pending or (chunk := self._chunk()):
            if not self._pending:
                self._pending.extend(chunk.splitlines())
            yield json.loads(self._pending.popleft())

    def pieces(self) -> Iterator[bytes]:
        """Read the pieces of a chunked body as they come."""
        yield from iter(self._chunk, b"")

    def is_closed_within(self, seconds: float) -> bool:
        """Wait for the server to hang up; whatever it still says is dropped."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def wait_readable(self, seconds: float) -> bool:
        """Wait until something came, the end included, without taking it; say whether it did."""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def wait_silent(self, seconds: float) -> None:
        """Read nothing for so long, on purpose."""
        time.sleep(seconds)

    def has_something_to_read(self) -> bool:
        return self.wait_readable(0)

    # How it leaves

    def leave(self) -> None:
        """Close, as a client does that was told to stop."""
        self._file.close()
        self.socket.close()

    def reset(self) -> None:
        """Close with an RST, as a client does that crashed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.leave()

    def stop_sending(self) -> None:
        """Close the sending half only."""
        self.socket.shutdown(socket.SHUT_WR)

    # Inside

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise CutShort(f"after {line!r}")
        return line

    def _chunk(self) -> bytes:
        """Read a chunk of the body; an empty one is its proper end."""
        data = self._exactly(int(self._line(), 16))
        self._exactly(2)
        return data

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise CutShort(f"{len(data)} of {size} bytes came")
        return data

    def _sized(self, head: Answer) -> bytes:
        length = head.headers.get("content-length")
        return self._file.read() if length is None else self._exactly(int(length))


class Client:
    """A well-behaved client of one server: a connection for each request."""

    def __init__(self, port: int, headers: Headers = ()) -> None:
        self.port = port
        self._headers = dict(headers)

    def call(self, method: str, path: str, body: Any = None, headers: Headers = ()) -> Answer:
        """Ask, and read the whole answer."""
        with self.open(method, path, body, headers) as connection:
            return connection.answer()

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Headers = (),
        *,
        receive_buffer: int | None = None,
    ) -> RawHTTP:
        """Ask, and leave the answer to be read."""
        connection = RawHTTP(self.port, receive_buffer=receive_buffer)
        connection.request(method, path, body, self._headers | dict(headers))
        return connection

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, {} if body is None else body, headers)

    def chat(self, text: str = "hi", *, headers: Headers = (), **fields: Any) -> Answer:
        """Say one thing to the model `m`, and read the whole answer."""
        return self.call("POST", "/api/chat", chat_body(text, **fields), headers)

    def open_chat(self, text: str = "hi", *, receive_buffer: int | None = None, **fields: Any) -> RawHTTP:
        """Say one thing to the model `m`, and leave the answer to be read."""
        return self.open("POST", "/api/chat", chat_body(text, **fields), receive_buffer=receive_buffer)

    def wait_ready(self, timeout: float) -> None:
        """Wait until the server answers."""
        eventually(self._answers, timeout, f"an answer on port {self.port}")

    def _answers(self) -> bool:
        try:
            return self.get("/").status == 200
        except (OSError, CutShort):
            return False


def chat_body(text: str = "hi", **fields: Any) -> Json:
    """Make the body of a chat with one turn."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **fields}


def text_of(lines: Iterable[Json]) -> str:
    """Join what a streamed chat or generation said."""
    return "".join(
        line["message"]["content"] if "message" in line else line.get("response", "") for line in lines
    )
