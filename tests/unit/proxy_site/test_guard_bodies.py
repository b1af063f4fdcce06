"""What is refused before a body is read, and while it is read."""

import asyncio
import json
from dataclasses import replace

import pytest

from ollama_api.request import Message, Receive, Scope, Send
from proxy_site.bodies import too_large
from proxy_site.guard import Guard
from tests.unit.proxy_site.guarded import CHUNKED, LIMIT, RULES, App, Client, ask, length


def refusal(client: Client, status: int) -> str:
    assert client.status == status
    assert client.header(b"content-type") == [b"application/json; charset=utf-8"]
    assert client.header(b"content-length") == [str(len(client.body)).encode()]
    assert client.header(b"connection") == [b"close"]
    told = json.loads(client.body)
    assert list(told) == ["error"]
    return str(told["error"])


async def test_a_declared_body_that_is_too_large_is_refused_unread() -> None:
    client, app = await ask(length(LIMIT + 1), method="POST", client=Client([b"x"]))
    assert refusal(client, 413) == too_large(LIMIT)
    assert (client.reads, app.ran) == (0, False)


async def test_the_operators_door_has_a_limit_of_its_own() -> None:
    assert refusal((await ask(length(101), method="POST", path="/admin/x"))[0], 413) == too_large(100)
    body = b"x" * LIMIT
    client, app = await ask(length(LIMIT), method="POST", client=Client([body]))
    assert (client.status, app.body) == (200, body)


@pytest.mark.parametrize("header", [CHUNKED, length(5)])
async def test_a_body_is_counted_whatever_was_declared(header: tuple[bytes, bytes]) -> None:
    client, app = await ask(header, method="POST", client=Client([b"x" * 600, b"x" * 600, b"x"]))
    assert refusal(client, 413) == too_large(LIMIT)
    assert app.client_gone
    assert client.reads == 2, "nothing is read behind the limit"


async def test_a_body_just_at_the_limit_passes_in_any_pieces() -> None:
    client, app = await ask(CHUNKED, method="POST", client=Client([b"x" * 400, b"", b"x" * 600]))
    assert (client.status, len(app.body)) == (200, LIMIT)


async def test_after_the_body_the_app_hears_the_client_directly() -> None:
    heard: list[str] = []

    class Watching(App):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            async with asyncio.timeout(RULES.body_total_s + 1):
                heard.append((await receive())["type"])

    class Leaving(Client):
        async def receive(self) -> Message:
            if self.reads:
                await asyncio.sleep(RULES.body_total_s + 0.1)  # longer than any body may take
                return {"type": "http.disconnect"}
            return await super().receive()

    client = Leaving([b"x"])
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost"), length(1)]}
    await Guard(Watching(), RULES, lambda path: False)(scope, client.receive, client.send)
    assert heard == ["http.disconnect"]
    assert client.status == 200


@pytest.mark.parametrize("pieces", [[], [b"x" * 10]])
async def test_a_body_that_stops_coming_times_out(pieces: list[bytes]) -> None:
    client, app = await ask(length(50), method="POST", client=Client(pieces, whole=False))
    assert refusal(client, 408) == "the request's body did not arrive in time"
    assert app.client_gone


async def test_a_body_that_only_trickles_times_out_in_total() -> None:
    trickle = Client([b"x"] * 100, pause_s=0.05)
    client, app = await ask(CHUNKED, method="POST", client=trickle, rules=replace(RULES, body_idle_s=30))
    assert refusal(client, 408) == "the request's body did not arrive in time"
    assert app.client_gone
    assert 1 < client.reads < 20


async def test_a_refused_body_is_refused_once() -> None:
    class Stubborn(App):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            kinds = [(await receive())["type"] for _ in range(3)]
            assert kinds == ["http.disconnect"] * 3

    client = Client([b"x" * 2000, b"more"])
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost"), CHUNKED]}
    await Guard(Stubborn(), RULES, lambda path: False)(scope, client.receive, client.send)
    assert client.status == 413
    assert client.reads == 1


async def test_a_client_that_leaves_is_no_error() -> None:
    class Leaves(Client):
        async def receive(self) -> Message:
            return {"type": "http.disconnect"}

    client, app = await ask(CHUNKED, method="POST", client=Leaves([]))
    assert app.client_gone
    assert client.answer == []


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd", b"identity, gzip", b""])
async def test_compressed_bodies_are_refused(encoding: bytes) -> None:
    client, app = await ask((b"content-encoding", encoding), length(3), method="POST")
    assert "content encoding" in refusal(client, 415)
    assert not app.ran


async def test_identity_is_no_compression() -> None:
    assert (await ask((b"content-encoding", b"Identity"), method="POST"))[0].status == 200


async def test_too_many_or_too_long_headers_are_refused() -> None:
    many = [(b"x-%d" % number, b"") for number in range(20)]
    for headers in (many, [(b"x-long", b"x" * 2000)]):
        client, app = await ask(*headers)
        assert refusal(client, 431) == "the request's headers are too large"
        assert not app.ran
    assert (await ask(*many[:19]))[0].status == 200


async def test_two_ways_to_tell_a_length_are_refused() -> None:
    client, app = await ask(length(3), CHUNKED, method="POST")
    assert refusal(client, 400) == "both Content-Length and Transfer-Encoding"
    assert not app.ran


@pytest.mark.parametrize("value", [b"-1", b"1e3", b"", b" 5", b"0x10", b"1,1", b"9" * 1900])
async def test_a_length_is_a_number(value: bytes) -> None:
    client, app = await ask((b"content-length", value), method="POST")
    assert refusal(client, 400) == "invalid Content-Length"
    assert not app.ran
