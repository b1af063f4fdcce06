"""Which server a URL leads to: what a key is bound to. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
LAST_PORT = 65535
# Stricter than any client's own parser: where two of them could find two different hosts, there is none.
AUTHORITY = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@\\:\[\]%]+)(?::(?P<port>[0-9]{0,5}))?(?=/|\Z)",
    re.IGNORECASE | re.ASCII,
)
UNSAFE = re.compile(r"[\s\\\x00-\x20\x7f]")


def origin_of(url: str) -> str:
    """Give scheme, host and port, as in `https://api.example.com` or `http://10.0.0.5:8000`.

    Letters' case does not matter, and a scheme's own port is left out.

    Raises:
        ValueError: it is no http(s) URL, or it could be read as leading to two places.
    """
    found = AUTHORITY.match(url)
    if found is None or UNSAFE.search(url):
        raise ValueError("no http:// or https:// URL with a plain host")
    urlsplit(url)  # refuses letters that some clients take for a slash or an @
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = int(found["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port <= LAST_PORT:
        raise ValueError(f"there is no port {port}")
    return f"{scheme}://{host}" + ("" if port == DEFAULT_PORTS[scheme] else f":{port}")


def is_path(text: str) -> bool:
    """Whether it names a place below a base URL only: joined to one, it leads to no other server."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return not (parts.scheme or parts.netloc or UNSAFE.search(text))
