"""The bound over the bodies of all requests: counted while held, given back once however a request ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from ollama_api.request import Message, Receive, Scope, Send
from proxy_site import bodies
from proxy_site.bodies import too_many
from proxy_site.guard import App, Guard
from tests.unit.proxy_site.guarded import CHUNKED, LIMIT, RULES, Client, length

ROOM = RULES.max_bodies_bytes
FULL = b"x" * LIMIT
Headers = tuple[bytes, bytes]


class Holding:
    """Reads a body, and holds it until it is let go, as a chat does while it is answered."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        self.bodies.append(body)
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def scope_of(*headers: Headers, path: str = "/api/chat", method: str = "POST") -> Scope:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "headers": [(b"host", b"localhost"), *headers],
        "server": ("127.0.0.1", 11434),
    }


def guard_of(app: App, **changes: Any) -> Guard:
    return Guard(app, replace(RULES, **changes), lambda path: path.startswith("/admin"))


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not look():  # noqa: ASYNC110  # what is looked at knows no events
            await asyncio.sleep(0)


@asynccontextmanager
async def held(
    guard: Guard, app: Holding, count: int, **where: str
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Have so many requests under way whose bodies of the largest size are held."""
    tasks = []
    for number in range(count):
        client = Client([FULL])
        asking: Awaitable[None] = guard(scope_of(length(LIMIT), **where), client.receive, client.send)
        tasks.append(asyncio.ensure_future(asking))
        await until(lambda number=number: len(app.bodies) == number + 1)  # type: ignore[misc]
    yield tasks
    app.go.set()
    await asyncio.gather(*tasks, return_exceptions=True)


def refusal(client: Client) -> str:
    assert client.status == 503
    assert client.header(b"retry-after") == [b"1"]
    assert client.header(b"connection") == [b"close"]
    return str(json.loads(client.body)["error"])


@pytest.mark.parametrize("header", [length(LIMIT), CHUNKED])
async def test_what_all_bodies_hold_has_a_bound(header: Headers) -> None:
    guard = guard_of(app := Holding())
    async with held(guard, app, ROOM // LIMIT):
        assert guard.bodies.held == ROOM
        client = Client([FULL])
        await guard(scope_of(header), client.receive, client.send)
        assert refusal(client) == too_many(ROOM)
        assert client.reads == (0 if header != CHUNKED else 1), "what cannot be held is not read"
        assert guard.bodies.held == ROOM, "what was refused holds nothing"
    assert guard.bodies.held == 0


async def test_room_that_is_given_back_is_used_again() -> None:
    app = Holding()
    app.go.set()
    guard = guard_of(app)
    for _ in range(3 * ROOM // LIMIT):
        client = Client([FULL])
        await guard(scope_of(length(LIMIT)), client.receive, client.send)
        assert client.status == 200
    assert guard.bodies.held == 0


async def test_a_body_is_counted_as_it_comes_and_not_as_it_is_declared() -> None:
    """Or a head, which costs nothing, would keep others out."""
    guard = guard_of(app := Holding())
    silent = Client([], whole=False)
    waiting = asyncio.ensure_future(_run(guard, scope_of(length(LIMIT)), silent))
    await until(lambda: silent.reads == 1)
    assert guard.bodies.held == 0
    async with held(guard, app, ROOM // LIMIT):
        pass
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def _run(guard: Guard, scope: Scope, client: Client) -> None:
    await guard(scope, client.receive, client.send)


async def test_the_pieces_of_bodies_that_are_not_whole_are_counted() -> None:
    guard = guard_of(Holding(), body_idle_s=5, body_total_s=5)
    slow = [Client([b"x" * 900], whole=False) for _ in range(3)]
    tasks = [asyncio.ensure_future(_run(guard, scope_of(CHUNKED), client)) for client in slow]
    await until(lambda: guard.bodies.held == 2700)
    client = Client([b"x" * 301])
    await guard(scope_of(CHUNKED), client.receive, client.send)
    assert refusal(client) == too_many(ROOM)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert guard.bodies.held == 0


class Leaving(Client):
    """Sends a piece, and leaves."""

    async def receive(self) -> Message:
        if self.reads:
            return {"type": "http.disconnect"}
        message = await super().receive()
        return {**message, "more_body": True}


class Failing(Holding):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise RuntimeError("a fault of ours")


ENDS: dict[str, tuple[type[Holding], Client, int | None]] = {
    "answered": (Holding, Client([b"x" * 500]), 200),
    "the client leaves": (Holding, Leaving([b"x" * 500]), None),
    "too large": (Holding, Client([b"x" * 500, FULL]), 413),
    "too slow": (Holding, Client([b"x" * 500], whole=False), 408),
    "an exception": (Failing, Client([b"x" * 500]), None),
}


@pytest.mark.parametrize(("app", "client", "status"), ENDS.values(), ids=ENDS)
async def test_every_end_gives_everything_back_once(
    app: type[Holding], client: Client, status: int | None
) -> None:
    serving = app()
    serving.go.set()
    guard = guard_of(serving, body_idle_s=0.05)
    try:
        await guard(scope_of(CHUNKED), client.receive, client.send)
    except RuntimeError:
        assert app is Failing
    assert guard.bodies.held == 0
    assert [client.status] == [status] if status else not client.answer


async def test_a_cancelled_request_gives_everything_back() -> None:
    guard = guard_of(app := Holding())
    async with held(guard, app, 2) as tasks:
        assert guard.bodies.held == 2 * LIMIT
        tasks[0].cancel()
        await until(lambda: guard.bodies.held == LIMIT)
    assert guard.bodies.held == 0


async def test_to_release_twice_releases_once() -> None:
    budget = bodies.BodyBudget(100)
    budget.take(50)
    rules = bodies.BodyRules(100, 1, 1, budget)
    client = Client([b"x" * 10])
    body = bodies.CountedBody(client.receive, client.send, "/", rules, None)
    await body.receive()
    assert budget.held == 60
    for _ in range(2):
        body.release()
        assert budget.held == 50


async def test_strangers_at_the_login_page_cannot_take_the_room_of_clients() -> None:
    """That door reads a body before it knows anybody, so it has a fourth part, and no more."""
    guard = guard_of(app := Holding(), admin_max_body_bytes=LIMIT, max_bodies_bytes=8 * LIMIT)
    async with held(guard, app, 2, path="/admin/login/"):
        stranger = Client([FULL])
        await guard(scope_of(length(LIMIT), path="/admin/login/"), stranger.receive, stranger.send)
        assert refusal(stranger) == too_many(2 * LIMIT)
        client = Client([FULL])
        asking = asyncio.ensure_future(_run(guard, scope_of(length(LIMIT)), client))
        await until(lambda: len(app.bodies) == 3)
        assert guard.bodies.held == 3 * LIMIT
    await asking
    assert (client.status, guard.bodies.held) == (200, 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/admin/login/", "/static/x.css"])
async def test_operators_pages_that_are_only_read_get_no_body(method: str, path: str) -> None:
    """Django would read it before any view, onto a disk."""
    heard: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(await receive())
        heard.append(await receive())

    client = Leaving([b"x" * 90])
    guard = Guard(app, RULES, lambda path: path.startswith(("/admin", "/static")))
    await guard(scope_of(length(90), path=path, method=method), client.receive, client.send)
    assert heard == [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
    assert guard.bodies.held == 0
