"""The guard between a client that sends what it is told to and an application that reads everything."""

import asyncio
from collections.abc import Iterable

from ollama_api.request import Message, Receive, Scope, Send
from proxy_site.guard import Guard, Rules

LIMIT = 1000
RULES = Rules(
    hosts=("llm.example", ".corp.example"),
    origins=("https://chat.example", "https://*.apps.example"),
    max_body_bytes=LIMIT,
    admin_max_body_bytes=100,
    max_bodies_bytes=3000,
    max_headers=20,
    max_header_bytes=2000,
    body_idle_s=0.2,
    body_total_s=0.5,
)
CHUNKED = (b"transfer-encoding", b"chunked")


class App:
    """Reads the whole body, as the client door does, and says what it got."""

    def __init__(self) -> None:
        self.ran = False
        self.body = b""
        self.client_gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.ran = True
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.client_gone = True
                return
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"yes")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Client:
    """Sends the given pieces; after them it stays silent."""

    def __init__(self, pieces: Iterable[bytes], *, whole: bool = True, pause_s: float = 0.0) -> None:
        self._pieces = list(pieces)
        self._whole = whole
        self._pause_s = pause_s
        self.reads = 0
        self.answer: list[Message] = []

    async def receive(self) -> Message:
        self.reads += 1
        if not self._pieces and not self._whole:
            await asyncio.Event().wait()
        await asyncio.sleep(self._pause_s)
        body = self._pieces.pop(0) if self._pieces else b""
        return {"type": "http.request", "body": body, "more_body": bool(self._pieces) or not self._whole}

    async def send(self, message: Message) -> None:
        self.answer.append(message)

    @property
    def status(self) -> int:
        assert [message["type"] for message in self.answer] == ["http.response.start", "http.response.body"]
        return int(self.answer[0]["status"])

    @property
    def body(self) -> bytes:
        return bytes(self.answer[1]["body"])

    def header(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.answer[0]["headers"] if key == name]


async def ask(
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    path: str = "/api/tags",
    host: bytes | None = b"localhost:11434",
    client: Client | None = None,
    rules: Rules = RULES,
    server: str = "127.0.0.1",
    version: str = "1.1",
) -> tuple[Client, App]:
    client, app = client or Client([]), App()
    all_headers = [*headers] if host is None else [(b"host", host), *headers]
    scope = {
        "type": "http",
        "http_version": version,
        "method": method,
        "path": path,
        "headers": all_headers,
        "server": (server, 11434),
    }
    guard = Guard(app, rules, lambda path: path.startswith("/admin"))
    await guard(scope, client.receive, client.send)
    return client, app


def length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", str(size).encode()
