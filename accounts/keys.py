"""Client keys: minting, digests, and where clients put them.

Keys are random (minted ones hold 192 bits), so a plain SHA-256 is the right digest: slow hashers are for
passwords. The public id names a key in lists and logs and is no secret.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

PREFIX = "lg"
KEY_IN_PATH = "llamagate.key_in_path"
"""In the ASGI scope of a request whose key stood in its path: that key decides alone."""
ACCEPTABLE = re.compile(r"[A-Za-z0-9._~-]{32,256}")


def mint() -> tuple[str, str]:
    """Make a key. Returns (public id, whole key); the key is shown once and stored only as a digest."""
    public_id = new_public_id()
    return public_id, f"{PREFIX}-{public_id}-{secrets.token_urlsafe(24)}"


def new_public_id() -> str:
    """Make the public name of a key: 8 characters."""
    return secrets.token_hex(4)


def digest(key: str) -> str:
    """Hash a key for storage and look-up: 64 hex digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_acceptable(key: str) -> bool:
    """Say whether a key that somebody brings is long enough and safe in a header or a URL."""
    return ACCEPTABLE.fullmatch(key) is not None


def extract_key(authorization: str, x_api_key: str) -> str | None:
    """Find the key in two headers: Bearer, Basic (as the password, else as the user name), X-API-Key."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        return _from_basic(value.strip())
    return x_api_key.strip() or None


def extract_secrets(authorization: str, x_api_key: str) -> tuple[str, ...]:
    """Give every text in the two headers that may be a key, for taking it out of other texts."""
    _, _, value = authorization.partition(" ")
    given = (extract_key(authorization, x_api_key), value, x_api_key)
    return tuple(dict.fromkeys(one.strip() for one in given if one and one.strip()))


def _from_basic(encoded: str) -> str | None:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # no base64, no UTF-8, or not even ASCII
        return None
    return password or user or None
