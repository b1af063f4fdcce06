"""An HTTP client that hides nothing: statuses, headers and bytes as they came."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit

from tests.conformance.checks import Failed

Json = dict[str, Any]
Headers = Mapping[str, str]
NO_HEADERS: Headers = {}
TIMEOUT_S = 10.0
BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    asked: str
    """Method and path, for messages."""
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float = 0.0

    def header(self, name: str) -> str:
        """Give a header, several joined as HTTP allows; empty when there is none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def content_type(self) -> str:
        return self.header("Content-Type")

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        """Decode the body.

        Raises:
            Failed: it is no JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"{self.asked}: the body must be JSON", self.body) from None

    @property
    def events(self) -> list[tuple[str, str]]:
        """Read the body as server-sent events: (event name or "", data)."""
        blocks = self.text.replace("\r\n", "\n").split("\n\n")
        return [_event(block) for block in blocks if block.strip()]


def _event(block: str) -> tuple[str, str]:
    fields: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    return "".join(fields.get("event", [])), "\n".join(fields.get("data", []))


@dataclass(frozen=True)
class Server:
    """Where the server is, and the key that it is asked with."""

    url: str
    key: str = ""
    timeout_s: float = TIMEOUT_S

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether it is reached over loopback, where Ollama's Host rule holds."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def with_key(self, key: str) -> "Server":
        """Ask as somebody else; "" as nobody."""
        return replace(self, key=key)

    def ask(self, method: str, path: str, body: Any = None, headers: Headers = NO_HEADERS) -> Answer:
        """Ask, and read the whole answer. A body that is not bytes goes as JSON.

        Raises:
            Failed: no answer came, or half of one.
        """
        with self.connect() as connection:
            return connection.ask(method, path, body, headers)

    def get(self, path: str, headers: Headers = NO_HEADERS) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, headers: Headers = NO_HEADERS) -> Answer:
        return self.ask("POST", path, body, headers)

    def connect(self) -> "Connection":
        """Open a connection of one's own, for several requests or an answer read line by line."""
        return Connection(self)


class Connection:
    """One connection to a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._asked = ""
        self._response: http.client.HTTPResponse | None = None
        parts = urlsplit(server.url)
        self._prefix = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._http = kind(server.host, parts.port, timeout=server.timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()
        self._http.close()

    def ask(self, method: str, path: str, body: Any = None, headers: Headers = NO_HEADERS) -> Answer:
        """Ask, and read the whole answer; the connection stays open for the next."""
        began = time.monotonic()
        response = self.begin(method, path, body, headers)
        try:
            data = response.read()
        except BROKEN as error:
            raise Failed(f"{self._asked}: the whole answer must come", repr(error)) from None
        seconds = time.monotonic() - began
        return Answer(self._asked, response.status, tuple(response.getheaders()), data, seconds)

    def begin(
        self, method: str, path: str, body: Any = None, headers: Headers = NO_HEADERS
    ) -> http.client.HTTPResponse:
        """Ask, and read the head of the answer."""
        self._asked = f"{method} {path}"
        data = _encoded(body)
        wanted = self._headers(method, body, data) | dict(headers)
        if "Transfer-Encoding" in wanted:
            del wanted["Content-Length"]
        try:
            self._send(method, self._prefix + path, data, wanted)
            self._response = self._http.getresponse()
        except BROKEN as error:
            raise Failed(f"{self._asked}: an answer must come", repr(error)) from None
        return self._response

    def lines(self, response: http.client.HTTPResponse) -> Iterator[Json]:
        """Read NDJSON as it comes."""
        try:
            while line := response.readline():
                yield json.loads(line)
        except (*BROKEN, ValueError) as error:
            raise Failed(
                f"{self._asked}: each line must be JSON, and the last one must come", repr(error)
            ) from None

    def _headers(self, method: str, body: Any, data: bytes) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._server.key}"} if self._server.key else {}
        if data or method == "POST":
            headers["Content-Length"] = str(len(data))
        if body is not None and not isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
        return headers

    def _send(self, method: str, path: str, data: bytes, headers: Headers) -> None:
        self._http.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            self._http.putheader(name, value)
        self._http.endheaders(data or None)


def _encoded(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()
