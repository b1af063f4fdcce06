"""Which addresses no backend may have: link-local ones, and those at which clouds keep their metadata. Pure.

Whoever can make this server call such an address can read the machine's own credentials through it. Private
addresses and loopback stay allowed: backends live there.

What counts is the address that a connection goes to, not how somebody writes it: `fault_of_address` is asked
for each address before a socket is made for it (`connections`, `probe`). `fault_of_host` is for forms, which
look up no names; it knows what spellings resolvers take for addresses, and the names of metadata services.

Sources: RFC 3927 and 4291 (link-local), 6052 and 8215 (NAT64), 3056 (6to4), 4380 (Teredo), 5214 (ISATAP),
2765 (translated); the clouds' documentation of their instance metadata services.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterator

LINK_LOCAL = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fe80::/10")))
METADATA = tuple(
    map(
        ipaddress.ip_network,
        (
            "100.100.100.200/32",  # Alibaba Cloud
            "168.63.129.16/32",  # Azure's host agent: it gives a machine its certificates and settings
            "192.0.0.192/32",  # Oracle Cloud, classic
            "fd00:ec2::/32",  # AWS: metadata, and what else it keeps for its machines and pods
            "fd20:ce::254/128",  # Google Cloud
            "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud
            "fd00:42::42/128",  # Scaleway
            "fd00:a9fe:a9fe::/64",  # Linode
        ),
    )
)
METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "api.metadata.cloud.ibm.com",
        "metadata.platformequinix.com",
    }
)
IPV4_INSIDE = tuple(
    map(ipaddress.ip_network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)
"""Networks of IPv6 addresses whose last 32 bits are an IPv4 one: compatible, mapped, translated, NAT64."""
NAT64_OF_ONES_OWN = ipaddress.IPv6Network("64:ff9b:1::/48")
NAT64_LENGTHS = (48, 56, 64)
ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")
NUMBERS = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}")
"""How an IPv4 address may be written for `inet_aton`: in one to four parts, each decimal, octal or hex."""

ADVICE = "correct the backend's base URL"
LINK_LOCAL_FAULT = f"Link-local addresses (cloud metadata services) are refused: {ADVICE}."
UNREADABLE_FAULT = f"What is no plain IPv4 or IPv6 address is refused: {ADVICE}."
METADATA_FAULT = f"Addresses and names of cloud metadata services are refused: {ADVICE}."

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddress(OSError):
    """No connection is made to this address. An `OSError`, for that is what connecting may raise."""


def require_allowed_address(address: str) -> None:
    """Let an address pass to which a connection may be made. Raises `ForbiddenAddress`."""
    if fault := fault_of_address(address):
        raise ForbiddenAddress(fault)


def fault_of_address(address: str) -> str:
    """Say why no backend may have a numeric address, and what to do about it; empty: it may."""
    try:
        return _fault(ipaddress.ip_address(address))
    except ValueError:  # what cannot be judged is not called
        return UNREADABLE_FAULT


def fault_of_host(host: str) -> str:
    """Say the same of the host of a URL, as far as can be seen without looking it up."""
    plain = unicodedata.normalize("NFKC", host).replace("\u3002", ".").strip("[]").rstrip(".").lower()
    if plain in METADATA_NAMES:
        return METADATA_FAULT
    address = _address_of(plain)
    return "" if address is None else _fault(address)


def _fault(address: Address) -> str:
    for one in (address, *_ipv4_inside(address)):
        if any(one in network for network in LINK_LOCAL):
            return LINK_LOCAL_FAULT
        if any(one in network for network in METADATA):
            return METADATA_FAULT
    return ""


def _address_of(host: str) -> Address | None:
    """Read an address as resolvers do: `0xa9fea9fe`, `0251.0376.43518` and `2852039166` are one, too."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if NUMBERS.fullmatch(host) else None
    except OSError:
        return None


def _ipv4_inside(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Give the IPv4 addresses that packets for an IPv6 address may end at."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    packed = address.packed
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if packed[8:12] in ISATAP or any(address in network for network in IPV4_INSIDE):
        yield ipaddress.IPv4Address(packed[12:])
    if address in NAT64_OF_ONES_OWN:
        around = packed[:8] + packed[9:]  # the byte in the middle is none of the IPv4 address
        for length in NAT64_LENGTHS:
            yield ipaddress.IPv4Address(around[length // 8 : length // 8 + 4])
