"""The kinds of OpenAI-compatible servers: one row each, no branches anywhere. Pure.

A new kind is one row in `servers` or in one of the modules `hosted*`, and one golden folder per quirk. If a
quirk does not fit the fields of `Dialect`, add one with a default; never ask for a dialect's name.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from types import MappingProxyType
from urllib.parse import urlsplit

from backends.wire import (
    hosted,
    hosted_china,
    hosted_clouds,
    hosted_inference,
    hosted_makers,
    servers,
)
from backends.wire.dialect import Dialect

_HOSTED = (
    *hosted.ROWS,
    *hosted_china.ROWS,
    *hosted_clouds.ROWS,
    *hosted_inference.ROWS,
    *hosted_makers.ROWS,
)
_ROWS = (*servers.ROWS[:1], *sorted((*servers.ROWS[1:], *_HOSTED), key=lambda row: row.label.lower()))

DIALECTS: MappingProxyType[str, Dialect] = MappingProxyType({row.name: row for row in _ROWS})


def dialect_choices() -> list[tuple[str, str]]:
    """List (name, label) for a form. A callable, so that a new dialect needs no migration."""
    return [(row.name, row.label) for row in _ROWS]


def of_address(base_url: str) -> Dialect:
    """Guess the kind by the host, where it is one of a service's own; else what every server is."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    return next((row for row in _ROWS if _is_host_of(row, host)), DIALECTS["generic"])


def _is_host_of(row: Dialect, host: str) -> bool:
    """Say whether a host is one of the row's, or below the host that its base URL names."""
    own = urlsplit(row.base_url).hostname
    if own and f".{host}".endswith(f".{own}"):
        return True
    return any(fnmatchcase(host, pattern) for pattern in row.hosts)
