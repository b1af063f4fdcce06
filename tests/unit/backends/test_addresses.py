"""Which addresses no backend may have, however they are written; and that connecting asks, not reading."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from backends import addresses, connection_test
from backends.models import validate_base_url
from backends.upstream import connections
from backends.wire.dialects import DIALECTS
from tests.fake_backend import FakeBackend

METADATA = "169.254.169.254"
SPELLINGS = {
    "plain": METADATA,
    "hex": "0xa9fea9fe",
    "hex in capitals": "0XA9FEA9FE",
    "decimal": "2852039166",
    "octal": "0251.0376.0251.0376",
    "mixed": "0xa9.0376.43518",
    "two parts": "169.16689662",
    "a dot at the end": "169.254.169.254.",
    "full-width digits": "\uff11\uff16\uff19.254.169.254",
    "full-width dots": "169\uff0e254\u3002169.254",
    "mapped": "[::ffff:169.254.169.254]",
    "mapped in hex": "[::ffff:a9fe:a9fe]",
    "compatible": "[::a9fe:a9fe]",
    "translated": "[::ffff:0:a9fe:a9fe]",
    "6to4": "[2002:a9fe:a9fe::1]",
    "NAT64": "[64:ff9b::169.254.169.254]",
    "NAT64 of one's own, 48": "[64:ff9b:1:a9fe:a9:fe00::]",
    "NAT64 of one's own, 96": "[64:ff9b:1::a9fe:a9fe]",
    "Teredo": "[2001:0:1::5601:5601]",
    "ISATAP": "[2001:db8::5efe:a9fe:a9fe]",
    "link-local": "[fe80::1]",
    "link-local with a zone": "[fe80::1%25eth0]",
    "the end of link-local": "[febf::1]",
    "AWS": "[fd00:ec2::254]",
    "AWS for pods": "[fd00:ec2::23]",
    "Google": "[fd20:ce::254]",
    "Alibaba": "100.100.100.200",
    "Alibaba in hex": "0x646464c8",
    "Azure": "168.63.129.16",
    "a name": "metadata.google.internal",
    "a name with a dot": "Metadata.Google.Internal.",
}
ALLOWED = (
    *("127.0.0.1", "10.0.0.5", "192.168.1.2", "172.16.0.1", "100.64.0.1", "0.0.0.0", "8.8.8.8"),
    *("169.253.255.255", "169.255.0.0", "168.63.129.17", "100.100.100.201"),
    *("[::1]", "[fd00::1]", "[fec0::1]", "[2001:db8::1]", "[::ffff:10.0.0.5]", "[64:ff9b::8.8.8.8]"),
    *("localhost", "vllm", "metadata-store", "llm.example.com", "169.254.example.com", "0xa9fea9fe.example"),
)
NOT_WRITTEN_SO = ("full-width", "a name", "a dot")


@pytest.mark.parametrize("host", SPELLINGS.values(), ids=SPELLINGS)
def test_a_form_refuses_every_spelling(host: str) -> None:
    with pytest.raises(ValidationError, match="correct the backend's base URL"):
        validate_base_url(f"http://{host}:8000/v1")


@pytest.mark.parametrize("host", ALLOWED)
def test_a_form_takes_where_backends_live(host: str) -> None:
    validate_base_url(f"http://{host}:8000/v1")


@given(st.integers(0, 2**32 - 1))
def test_an_address_is_judged_alike_in_all_its_forms(number: int) -> None:
    plain = socket.inet_ntoa(number.to_bytes(4, "big"))
    fault = addresses.fault_of_address(plain)
    forms = (hex(number), str(number), f"{number >> 24:#o}.{number & 0xFFFFFF}".replace("0o", "0"))
    assert {addresses.fault_of_host(form) for form in forms} == {fault}
    for network in ("::ffff:", "64:ff9b::", "64:ff9b:1::"):
        assert bool(addresses.fault_of_address(network + plain)) >= bool(fault)


@given(st.text(max_size=60))
def test_any_host_is_judged(host: str) -> None:
    addresses.fault_of_host(host)
    addresses.fault_of_address(host)


@given(st.binary(min_size=16, max_size=16))
def test_any_address_is_judged(packed: bytes) -> None:
    assert isinstance(addresses.fault_of_address(socket.inet_ntop(socket.AF_INET6, packed)), str)


# Connecting


def connect(url: str, resolve: Callable[[str, int], list[Any]] | None = None) -> int:
    """Call a URL through the pool, with names looked up in our way; give the status."""

    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
            assert resolve is not None
            return resolve(host, port)

        async def close(self) -> None:
            return

    async def call() -> int:
        async with connections.open_session(pools=True) as session:
            connector: Any = session.connector
            if resolve is not None:
                connector._resolver = Resolver()
            async with session.get(url) as response:
                return response.status

    return asyncio.run(call())


def looked_up(*found: str) -> Callable[[str, int], list[Any]]:
    return lambda host, port: [
        {
            "hostname": host,
            "host": address,
            "port": port,
            "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
            "proto": 0,
            "flags": 0,
        }
        for address in found
    ]


LITERAL = {name: host for name, host in SPELLINGS.items() if not name.startswith(NOT_WRITTEN_SO)}


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses for which the pool made a socket."""
    made: list[Any] = []

    def make(*kind: int) -> socket.socket:
        made.append(kind)
        return socket.socket(*kind)

    monkeypatch.setattr(connections, "new_socket", make)
    return made


@pytest.mark.parametrize("host", LITERAL.values(), ids=LITERAL)
def test_the_pool_makes_no_connection_to_it(host: str, sockets: list[Any]) -> None:
    with pytest.raises((aiohttp.ClientConnectorError, aiohttp.InvalidURL)) as caught:
        connect(f"http://{host}:9/v1")
    if isinstance(caught.value, aiohttp.ClientConnectorError):
        assert isinstance(caught.value.os_error, addresses.ForbiddenAddress)
    assert not sockets


@pytest.mark.parametrize(
    "found", [(METADATA,), ("fe80::1",), (METADATA, "fe80::1"), ("::ffff:a9fe:a9fe", "100.100.100.200")]
)
def test_a_name_that_leads_there_is_not_followed(found: tuple[str, ...], sockets: list[Any]) -> None:
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        connect("http://innocent.test:9/v1", looked_up(*found))
    assert isinstance(caught.value.os_error, OSError)
    assert "correct the backend's base URL" in str(caught.value.os_error)
    assert not sockets


def test_of_several_addresses_the_allowed_ones_are_tried(fake: FakeBackend, sockets: list[Any]) -> None:
    url = f"http://several.test:{fake.port}/v1/models"
    assert connect(url, looked_up(METADATA, "127.0.0.1", "fe80::1")) == 200
    assert len(sockets) == 1


def test_a_name_is_looked_up_once_for_a_connection(fake: FakeBackend) -> None:
    """Whoever answers differently the second time is not asked a second time."""
    answers = [looked_up("127.0.0.1"), looked_up(METADATA)]
    url = f"http://rebinds.test:{fake.port}/v1/models"
    assert connect(url, lambda host, port: answers.pop(0)(host, port)) == 200
    assert len(answers) == 1


# The admin's "Test"


def look(url: str) -> connection_test.Report:
    return connection_test.list_models(url, DIALECTS["generic"], secret="", timeout=2.0)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses that `requests` connected to."""
    found: list[Any] = []
    true_connect = socket.socket.connect

    class Noted(socket.socket):
        def connect(self, address: Any) -> None:
            found.append(address[0])
            true_connect(self, address)

    monkeypatch.setattr(socket, "socket", Noted)
    return found


@pytest.mark.parametrize("host", LITERAL.values(), ids=LITERAL)
def test_the_test_makes_no_connection_to_it(host: str, called: list[Any]) -> None:
    report = look(f"http://{host}:9/v1")
    assert report.outcome == "unreachable"
    assert "correct the backend's base URL" in report.detail or "cannot be resolved" in report.detail
    assert not called


def test_the_test_follows_no_name_that_leads_there(
    monkeypatch: pytest.MonkeyPatch, called: list[Any]
) -> None:
    true_lookup = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: true_lookup(METADATA, *rest, **more)
    )
    assert "correct the backend's base URL" in look("http://innocent.test:9/v1").detail
    assert not called


def test_the_test_connects_to_what_it_looked_at(
    fake: FakeBackend, monkeypatch: pytest.MonkeyPatch, called: list[Any]
) -> None:
    """The name is asked for once: what it means a moment later does not matter."""
    true_lookup = socket.getaddrinfo
    names = iter([(METADATA, "127.0.0.1"), (METADATA,), (METADATA,)])

    def lookup(host: str, *rest: Any, **more: Any) -> list[Any]:
        numeric = next(names) if host == "rebinds.test" else (host,)
        return [one for address in numeric for one in true_lookup(address, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert look(f"http://rebinds.test:{fake.port}/v1").is_good
    assert called == ["127.0.0.1"]
    assert fake.requests[-1].headers["host"] == f"rebinds.test:{fake.port}"


def test_the_test_tries_all_addresses_of_a_name(
    fake: FakeBackend, monkeypatch: pytest.MonkeyPatch, called: list[Any]
) -> None:
    true_lookup = socket.getaddrinfo

    def lookup(host: str, *rest: Any, **more: Any) -> list[Any]:
        numeric = ("127.0.0.2", "127.0.0.1") if host == "both.test" else (host,)
        return [one for address in numeric for one in true_lookup(address, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert look(f"http://both.test:{fake.port}/v1").is_good
    assert called == ["127.0.0.2", "127.0.0.1"]
