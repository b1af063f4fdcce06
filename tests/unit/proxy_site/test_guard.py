"""Who may ask from where: the rules for Host and Origin."""

import socket
from dataclasses import replace

import pytest
from django.conf import settings

from proxy_site.guard import Rules
from proxy_site.hosts import HostRule
from proxy_site.refusals import Refused
from tests.unit.proxy_site.guarded import RULES, ask

PASS = [
    "localhost",
    "localhost:11434",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1",
    "127.9.9.9:80",
    "[::1]:11434",
    "[::1]",
    "0.0.0.0",
    "[::]",
    "[fe80::1%eth0]:80",
    "my_service.internal",
    "localhost:",
    "10.1.2.3",
    "172.16.0.1:1",
    "192.168.1.5:11434",
    "[fd00::1]:11434",
    "x.localhost",
    "box.local",
    "ollama.svc.internal:80",
    "llm.example",
    "LLM.example:443",
    "corp.example",
    "a.corp.example",
]
FOREIGN_HOSTS = [
    "evil.example",
    "8.8.8.8",
    "8.8.8.8:11434",
    "[2001:4860:4860::8888]",
    "ollama",
    "localhost.evil.example",
    "evil-localhost",
    "notlocal",
    "127.0.0.1.evil.example",
    "xllm.example",
    "x.llm.example",
    "xcorp.example",
    "evil.example:",
]
MALFORMED_HOSTS = [
    "localhost:80@evil.example",
    "[::1].evil.example",
    "[::1]evil.example",
    "[::1]:80.evil.example",
    "[::1",
    "::1",
    "[evil]",
    "[:::1]",
    "[::1%]",
    "[127.0.0.1]",
    "evil.example:80:80",
    "localhost:http",
    "localhost:-1",
    "localhost:123456",
    ":80",
    "127.0.0.1@evil.example",
    "user:password@localhost",
    "localhost/@evil.example",
    "localhost#",
    "localhost?",
    "local host",
    "localhost,evil.example",
    "http://localhost",
    "localhost..",
    ".localhost",
    "evil..localhost",
    "%6cocalhost",
    "ü.example",
    "localhost\x00",
    "x" * 400 + ".localhost",
]


@pytest.mark.parametrize("host", ["", socket.gethostname(), *PASS])
async def test_hosts_that_pass(host: str) -> None:
    client, app = await ask(host=host.encode())
    assert (client.status, app.ran) == (200, True)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_hosts_that_are_refused_with_an_empty_403(host: str) -> None:
    client, app = await ask(host=host.encode())
    assert (client.status, client.body, app.ran) == (403, b"", False)
    assert client.header(b"content-length") == [b"0"]
    assert client.header(b"content-type") == []


@pytest.mark.parametrize("host", MALFORMED_HOSTS)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_host_that_is_none_is_a_bad_request(host: str, version: str) -> None:
    client, app = await ask(host=host.encode(), version=version, rules=replace(RULES, hosts=("*",)))
    assert (client.status, client.body, app.ran) == (400, b'{"error":"the Host header is malformed"}', False)
    assert client.header(b"connection") == [b"close"]


async def test_only_http_1_0_may_do_without_a_host() -> None:
    client, app = await ask(host=None)
    assert (client.status, client.body, app.ran) == (400, b'{"error":"the Host header is missing"}', False)
    assert (await ask(host=None, version="1.0"))[0].status == 200


@pytest.mark.parametrize("more", [b"localhost", b"evil.example", b""])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_two_hosts_are_a_bad_request(more: bytes, version: str) -> None:
    client, app = await ask((b"accept", b"*/*"), (b"host", more), host=b"localhost", version=version)
    assert (client.status, app.ran) == (400, False)
    assert client.body == b'{"error":"more than one Host header"}'


@pytest.mark.parametrize("name", [b"origin", b"content-length", b"content-encoding"])
async def test_what_comes_twice_is_read_by_nobody(name: bytes) -> None:
    assert (await ask((name, b"0"), (name, b"0")))[0].status == 400


async def test_long_hosts_are_not_remembered() -> None:
    rule = HostRule(())
    for number in range(50):
        with pytest.raises(Refused):
            rule.check(b"x" * 10_000 + b"%d.localhost" % number, "")
    assert rule._look_up.cache_info().currsize == 0


async def test_the_address_that_the_client_connected_to_is_our_own() -> None:
    assert (await ask(host=b"93.184.216.34", server="93.184.216.34"))[0].status == 200
    assert (await ask(host=b"93.184.216.34", server="198.18.7.7"))[0].status == 403


async def test_every_path_is_guarded_and_a_star_lets_every_host_in() -> None:
    for path in ("/", "/nope", "/admin/", "/static/x"):
        assert (await ask(host=b"evil.example", path=path))[0].status == 403
    anyone = replace(RULES, hosts=("*",))
    assert (await ask(host=b"evil.example", rules=anyone))[0].status == 200


def test_the_rules_of_the_settings() -> None:
    rules = Rules.of(
        settings.PROXY.with_changes(allowed_hosts=("LLM.Example",), origins=("https://a.example",))
    )
    assert rules.hosts == ("llm.example",)
    assert rules.origins[0] == "https://a.example"
    assert "http://localhost:*" in rules.origins


# Origin


DEFAULTS = Rules.of(settings.PROXY.with_changes(origins=()))
ALLOWED = b"""
    http://localhost https://localhost http://localhost:3000 https://127.0.0.1:8443 http://0.0.0.0:1
    app://obsidian.md file://x tauri://localhost vscode-webview://abc vscode-file://vscode-app
""".split()
FOREIGN = b"""
    https://evil.example null chrome-extension://abc http://localhost.evil.example http://evil.example:3000
    http://xlocalhost https://chat.example http://[::1]:3000
""".split()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("origin", ALLOWED)
async def test_allowed_origins_are_named_in_the_answer(origin: bytes, method: str) -> None:
    client, app = await ask((b"origin", origin), method=method, rules=DEFAULTS)
    assert (client.status, app.ran) == (200, True)
    assert client.header(b"access-control-allow-origin") == [origin]
    assert client.header(b"vary") == [b"Origin"]
    assert client.header(b"x-app") == [b"yes"]
    assert client.header(b"access-control-allow-credentials") == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("origin", [b"", *FOREIGN])
async def test_foreign_origins_are_refused_whatever_the_method(origin: bytes, method: str) -> None:
    client, app = await ask((b"origin", origin), method=method, rules=DEFAULTS)
    assert (client.status, client.body, app.ran) == (403, b"", False)
    assert client.header(b"access-control-allow-origin") == []


@pytest.mark.parametrize("origin", [b"http://localhost:11434", b"https://localhost:11434"])
async def test_the_same_origin_needs_no_word(origin: bytes) -> None:
    client, app = await ask((b"origin", origin), host=b"localhost:11434")
    assert (client.status, app.ran) == (200, True)
    assert client.header(b"access-control-allow-origin") == []


async def test_no_origin_no_word() -> None:
    client, _ = await ask()
    assert client.header(b"access-control-allow-origin") == client.header(b"vary") == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"https://chat.example", 200),
        (b"https://a.apps.example", 200),
        (b"http://chat.example", 403),
        (b"https://apps.example", 403),
        (b"https://chat.example.evil.example", 403),
    ],
)
async def test_origins_that_the_operator_adds(origin: bytes, status: int) -> None:
    assert (await ask((b"origin", origin)))[0].status == status


async def test_a_star_allows_everybody_and_says_so() -> None:
    client, _ = await ask((b"origin", b"https://evil.example"), rules=replace(RULES, origins=("*",)))
    assert client.header(b"access-control-allow-origin") == [b"*"]


HEADERS = [
    "Authorization",
    "Content-Type",
    "User-Agent",
    "Accept",
    "X-Requested-With",
    "OpenAI-Beta",
    "X-API-Key",
    "X-Stainless-Arch",
    "X-Stainless-Async",
    "X-Stainless-Custom-Poll-Interval",
    "X-Stainless-Helper-Method",
    "X-Stainless-Lang",
    "X-Stainless-Os",
    "X-Stainless-Package-Version",
    "X-Stainless-Poll-Helper",
    "X-Stainless-Retry-Count",
    "X-Stainless-Runtime",
    "X-Stainless-Runtime-Version",
    "X-Stainless-Timeout",
]


async def test_a_preflight_is_answered_at_once() -> None:
    client, app = await ask(
        (b"origin", b"http://localhost:3000"), method="OPTIONS", path="/nope", rules=DEFAULTS
    )
    assert (client.status, client.body, app.ran) == (204, b"", False)
    assert client.header(b"access-control-allow-origin") == [b"http://localhost:3000"]
    assert client.header(b"access-control-allow-methods") == [b"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"]
    assert client.header(b"access-control-max-age") == [b"43200"]
    assert client.header(b"vary") == [
        b"Origin",
        b"Access-Control-Request-Method",
        b"Access-Control-Request-Headers",
    ]
    assert client.header(b"content-length") == []
    [allowed] = client.header(b"access-control-allow-headers")
    assert set(allowed.decode().split(",")) == set(HEADERS)


async def test_options_without_an_origin_is_the_apps_business() -> None:
    assert (await ask(method="OPTIONS"))[1].ran
