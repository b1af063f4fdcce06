"""Finds credentials in a profile, which is shown, exported and stored in plain text. Pure.

Judged by name, since a secret looks like anything. Two rules: names of headers and of query parameters are
refused when their last word names a credential (`X-Auth-Token`, `CF-Access-Client-Secret`, `key`); names of
body fields, many of which end in `_key` or `_token` and are harmless (`prompt_cache_key`, `add_bos_token`),
only when they can hardly mean anything else (`api_key`, `aws_secret_access_key`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

HIDDEN = "[hidden]"
WIRE_MAPS = frozenset({"headers", "extra_headers", "query", "extra_query"})
"""Members of a profile, or of a body that LiteLLM and others read, that hold headers or parameters."""

MAX_DEPTH = 64
"""What lies deeper is not looked into, and taken for a credential: JSON may be nested deeper than calls."""

LAST_WORDS = frozenset({"key", "keys", "sig", "signature", "pwd", "pat", "auth", "authentication"})
LAST_ENDINGS = ("apikey", "accesskey", "secretkey", "token", "oauth")
ENDINGS = (
    *("secret", "password", "passwd", "passphrase", "authorization", "cookie", "cookies", "credential"),
    *("credentials", "jwt", "bearer"),
)
"""Of any word of the name."""
HARMLESS = frozenset({"idempotency-key", "x-idempotency-key", "x-cache-key", "x-routing-key", "x-public-key"})
"""They name a call, a cache entry, a shard or a public half: none of them lets anybody in."""

BODY_ENDINGS = (
    *("apikey", "apikeys", "accesskey", "secretkey", "privatekey", "password", "passwd", "passphrase"),
    *("accesstoken", "authtoken", "bearertoken", "sessiontoken", "secret", "authorization", "credentials"),
)
SCHEME = re.compile(r"(?:bearer|basic|token)\s+\S", re.IGNORECASE)
"""A value that presents itself as a credential, whatever its header is called."""


def names_credential(name: str) -> bool:
    """Whether a header or a query parameter of this name carries a credential."""
    plain = name.strip().lower().replace("_", "-")
    if plain in HARMLESS:
        return False
    words = [word.rstrip("0123456789") for word in re.split(r"[^a-z0-9]+", _split_camels(name).lower())]
    words = [word for word in words if word]
    if not words:
        return False
    last = words[-1]
    return last in LAST_WORDS or last.endswith(LAST_ENDINGS) or any(word.endswith(ENDINGS) for word in words)


def find(profile: Any) -> list[str]:
    """Give the places of what looks like a credential, such as `headers.X-Auth-Token`."""
    return [".".join(place) for place in _places(profile, ())]


def without(profile: Any) -> Any:
    """Give the profile with these members left out."""
    return _edit(profile, frozenset(_places(profile, ())), ())


def mask(profile: Any) -> Any:
    """Give the profile with the values of these members hidden."""
    return _edit(profile, frozenset(_places(profile, ())), (), HIDDEN)


def _places(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Walk the objects. Lists too, by number: a body may hold anything."""
    for name, member in _members(value):
        here = (*place, name)
        if len(here) > MAX_DEPTH:
            yield here
        elif isinstance(member, dict | list):
            yield from _places(member, here)
        elif isinstance(member, str) and member and _is_secret(here, member):
            yield here


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(number), member) for number, member in enumerate(value))


def _is_secret(place: tuple[str, ...], value: str) -> bool:
    *above, name = place
    if value == HIDDEN:
        return True  # it came back from a page that hid the secret, and is no value
    if above and above[-1] in WIRE_MAPS:
        return names_credential(name) or SCHEME.match(value) is not None
    return re.sub(r"[^a-z]", "", name.lower()).endswith(BODY_ENDINGS)


def _split_camels(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)


def _edit(
    value: Any, places: frozenset[tuple[str, ...]], place: tuple[str, ...], instead: str | None = None
) -> Any:
    if place in places:
        return instead
    if isinstance(value, list):
        return [_edit(member, places, (*place, str(number)), instead) for number, member in enumerate(value)]
    if not isinstance(value, dict):
        return value
    remaining = {name: member for name, member in value.items() if instead or (*place, name) not in places}
    return {name: _edit(member, places, (*place, name), instead) for name, member in remaining.items()}
