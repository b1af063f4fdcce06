"""Guessing passwords: how many may fail before no more is tried, counted by django-axes in the database.

Three counts run over the same minutes. The one that people meet is that of a name at an address. Two are
higher, since others are behind them too: that of an address, whatever the names (colleagues share it), and
that of a name, whatever the addresses (it is somebody's).
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# In the order of AXES_LOCKOUT_PARAMETERS: of a name at an address, of an address, of a name. A failure of the
# second kind counts a fourth of one of the first, and so on.
SHARES = (1, 4, 20)
NAME_CHARS = 150
"""Names of users are no longer."""
NETWORK_BITS = 64
"""Whoever has one IPv6 address has all of its network, and is counted as one."""


class Throttle(AxesDatabaseHandler):  # type: ignore[misc]  # the library has no types
    """Counts failed logins."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Give the weightiest of the three counts."""
        counted = zip(self.get_user_attempts(request, credentials), SHARES, strict=True)
        return max(_failures(attempts) // share for attempts, share in counted)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """After a login forget what failed for this name at this address, and no more.

        Else whoever has an account could guess at others, and log in now and then.
        """
        of_both, *_ = self.filter_user_attempts(request, credentials)
        return int(of_both.delete()[0])


def refuse(
    request: HttpRequest, _response: HttpResponse | None = None, _credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer a login that is not tried."""
    wait_s = int(settings.AXES_COOLOFF_TIME.total_seconds())
    context = admin.site.each_context(request) | {"title": "Log in", "minutes": max(1, round(wait_s / 60))}
    answer = render(request, "admin/locked_out.html", context, status=429)
    answer.headers["Retry-After"] = str(wait_s)
    patch_cache_control(answer, no_store=True)
    return answer


def normalize_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Give the name that failures are counted for; Django's form takes names of any length."""
    name = (credentials or request.POST).get("username")
    return str(name or "")[:NAME_CHARS]


def normalize_address(request: HttpRequest) -> str | None:
    """Give the address that failures are counted for: of IPv6 the network."""
    address = client_address(request)
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(ipaddress.ip_network((address, NETWORK_BITS), strict=False).network_address)
    return None if address is None else str(address)


def client_address(request: HttpRequest) -> Address | None:
    """Say where a request comes from: the connection's far end, which nobody can choose.

    Where that is one of LLAMAGATE_TRUSTED_PROXIES: the last of X-Forwarded-For that is none of them.
    None where the connection has no address, as over a Unix socket.
    """
    way = [*request.META.get("HTTP_X_FORWARDED_FOR", "").split(","), request.META.get("REMOTE_ADDR") or ""]
    found: Address | None = None
    while way and (address := _parse(way.pop())):
        found = address
        if not any(address in network for network in settings.PROXY.trusted_proxies):
            break
    return found


def _parse(text: str) -> Address | None:
    """Read an address as proxies write it, perhaps with a port; None if it is none."""
    for candidate in (text.strip(), _without_port(text.strip())):
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped or address
    return None


def _without_port(text: str) -> str:
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""


def _failures(attempts: Any) -> int:
    return sum(attempts.values_list("failures_since_start", flat=True))
