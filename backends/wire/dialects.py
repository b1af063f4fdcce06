"""The kinds of OpenAI-compatible servers: one row each, no branches anywhere. Pure.

A new kind is one row in `servers` or `hosted`, and one golden folder per quirk. If a quirk does not fit the
fields of `Dialect`, add one with a default; never ask for a dialect's name.
"""

from __future__ import annotations

from types import MappingProxyType
from urllib.parse import urlsplit

from backends.wire import hosted, servers
from backends.wire.dialect import Dialect

_ROWS = (*servers.ROWS[:1], *sorted((*servers.ROWS[1:], *hosted.ROWS), key=lambda row: row.label.lower()))

DIALECTS: MappingProxyType[str, Dialect] = MappingProxyType({row.name: row for row in _ROWS})


def dialect_choices() -> list[tuple[str, str]]:
    """List (name, label) for a form. A callable, so that a new dialect needs no migration."""
    return [(row.name, row.label) for row in _ROWS]


def of_address(base_url: str) -> Dialect:
    """Guess the kind by the host, where one serves everybody, or one a region; else what every server is."""
    host = urlsplit(base_url).hostname or ""
    known = (
        row for row in _ROWS if row.base_url and f".{host}".endswith(f".{urlsplit(row.base_url).hostname}")
    )
    return next(known, DIALECTS["generic"])
