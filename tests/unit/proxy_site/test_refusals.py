"""What never reaches its door: told in the shape of the API that was asked; the forbidden leaves a line."""

import inspect
import json
from typing import Any

import pytest

from ollama_api.api_shapes import ANTHROPIC, OLLAMA, OPENAI, find_api_shape
from ollama_api.urls import urlpatterns
from proxy_site import guard
from tests.unit.proxy_site.guarded import CHUNKED, LIMIT, RULES, Client, ask, length

PATHS = {
    "/api/chat": OLLAMA,
    "/": OLLAMA,
    "/nothing": OLLAMA,
    "/v1beta": OLLAMA,
    "/api/v1/messages": OLLAMA,
    "/v1": OPENAI,
    "/v1/chat/completions": OPENAI,
    "/v1/audio/speech": OPENAI,
    "/v1/nothing": OPENAI,
    "//v1/models": OPENAI,
    "/v1/models/messages": OPENAI,
    "/v1/messages": ANTHROPIC,
    "/v1/messages/count_tokens": ANTHROPIC,
}
Ask = dict[str, Any]
REFUSALS: dict[str, tuple[int, list[tuple[bytes, bytes]], Ask]] = {
    "no host": (400, [], {"host": None}),
    "a host that is none": (400, [], {"host": b"localhost:80@evil.example"}),
    "two lengths": (400, [length(3), CHUNKED], {}),
    "a foreign host": (403, [], {"host": b"evil.example"}),
    "a foreign origin": (403, [(b"origin", b"https://evil.example")], {}),
    "too slow": (408, [length(3)], {"client": lambda: Client([], whole=False)}),
    "declared too large": (413, [length(LIMIT + 1)], {}),
    "counted too large": (413, [CHUNKED], {"client": lambda: Client([b"x" * (LIMIT + 1)])}),
    "a compressed body": (415, [(b"content-encoding", b"br"), length(3)], {}),
    "a huge head": (431, [(b"x-long", b"x" * RULES.max_header_bytes)], {}),
}


async def refused(headers: list[tuple[bytes, bytes]], asked: Ask, path: str) -> Client:
    made = asked | ({"client": asked["client"]()} if "client" in asked else {})
    client, _ = await ask(*headers, method="POST", path=path, **made)
    return client


@pytest.mark.parametrize(("path", "api"), PATHS.items())
def test_a_path_is_enough_to_know_the_api(path: str, api: Any) -> None:
    assert find_api_shape(path) is api


def test_the_routes_agree() -> None:
    """Each fails in its own words in the shape in which it would be refused before."""
    routes = [route for route in urlpatterns if route.name != "unknown"]
    apis = {str(route.pattern): inspect.getclosurevars(route.callback).nonlocals["api"] for route in routes}
    assert len(apis) > 30
    assert apis == {pattern: find_api_shape(f"/{pattern}") for pattern in apis}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/nothing"])
@pytest.mark.parametrize(("status", "headers", "asked"), REFUSALS.values(), ids=REFUSALS)
async def test_as_openai_does(path: str, status: int, headers: list[tuple[bytes, bytes]], asked: Ask) -> None:
    client = await refused(headers, asked, path)
    error = json.loads(client.body)["error"]
    assert (client.status, list(error)) == (status, ["message", "type", "param", "code"])
    assert error["message"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize(("status", "headers", "asked"), REFUSALS.values(), ids=REFUSALS)
async def test_as_anthropic_does(
    path: str, status: int, headers: list[tuple[bytes, bytes]], asked: Ask
) -> None:
    client = await refused(headers, asked, path)
    told = json.loads(client.body)
    assert (client.status, told["type"], list(told["error"])) == (status, "error", ["type", "message"])
    assert client.header(b"request-id") == client.header(b"x-request-id") == [told["request_id"].encode()]


@pytest.mark.parametrize("path", ["/api/chat", "/nothing"])
@pytest.mark.parametrize(("status", "headers", "asked"), REFUSALS.values(), ids=REFUSALS)
async def test_as_ollama_does(path: str, status: int, headers: list[tuple[bytes, bytes]], asked: Ask) -> None:
    client = await refused(headers, asked, path)
    assert client.status == status
    assert client.body == b"" if status == 403 else list(json.loads(client.body)) == ["error"]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/models", "/v1/messages", "/admin/"])
@pytest.mark.parametrize(("status", "headers", "asked"), REFUSALS.values(), ids=REFUSALS)
async def test_none_is_sniffed(
    path: str, status: int, headers: list[tuple[bytes, bytes]], asked: Ask
) -> None:
    client = await refused(headers, asked, path)
    assert client.header(b"x-content-type-options") == [b"nosniff"]
    assert client.header(b"content-length") == [str(len(client.body)).encode()]


async def test_a_preflight_is_not_sniffed() -> None:
    client, _ = await ask((b"origin", b"https://chat.example"), method="OPTIONS")
    assert client.header(b"x-content-type-options") == [b"nosniff"]


class Lines:
    """Takes what is logged."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.all.append({"event": event, **fields})


async def test_a_foreign_host_or_origin_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "log", lines := Lines())
    client, _ = await ask(host=b"evil.example")
    await ask((b"origin", b"https://evil.example/" + b"x" * 1000))
    host, origin = lines.all
    assert host["event"] == "client refused"
    assert (host["status"], host["host"]) == (403, "evil.example")
    assert [host["request_id"].encode()] == client.header(b"x-request-id")
    assert origin["origin"].startswith("https://evil.example/")
    assert len(origin["origin"]) == 200
