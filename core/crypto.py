"""Seal secrets at rest: Fernet (AES-128-CBC with HMAC-SHA-256), several keys, bound to their row.

The first key of CREDENTIAL_KEYS seals; every key opens. What is sealed carries the name of its place
(`binding`), so that a ciphertext moved to another row does not open there. A wrong key raises: nothing
here ever hands a ciphertext out as if it were the secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PREFIX = "v1:"


class SecretUnreadable(Exception):
    """A stored secret cannot be opened with the keys we have, or stands in a row it was not made for."""


class SecretElsewhere(SecretUnreadable):
    """A stored secret was given for another server than the one that would get it."""


class _Sealed(msgspec.Struct, array_like=True):
    binding: str
    secret: str


def seal(secret: str, binding: str) -> str:
    """Encrypt `secret` for the place that `binding` names."""
    box = msgspec.json.encode(_Sealed(binding, secret))
    return PREFIX + _fernet().encrypt(box).decode()


def unseal(token: str, *bindings: str) -> str:
    """Decrypt what `seal` made for one of these places.

    Raises:
        SecretUnreadable: no key fits, the token was altered, or it belongs to another row.
    """
    try:
        box = _fernet().decrypt(token.removeprefix(PREFIX).encode())
    except InvalidToken:
        raise SecretUnreadable("no key in CREDENTIAL_KEYS opens it") from None
    sealed = msgspec.json.decode(box, type=_Sealed)
    if sealed.binding not in bindings:
        raise SecretUnreadable("it was sealed for another row")
    return sealed.secret


def sealing_fingerprint() -> str:
    """Name the key that seals now, so that rotation finds what older keys sealed."""
    return fingerprint(_keys()[0])


def fingerprint(key: str) -> str:
    """Name one key: the first 16 hex digits of a domain-separated SHA-256."""
    return hashlib.sha256(b"llamagate sealing key\0" + key.encode()).hexdigest()[:16]


def _keys() -> Sequence[str]:
    keys: tuple[str, ...] = settings.PROXY.credential_keys
    if not keys:
        raise ImproperlyConfigured(
            "CREDENTIAL_KEYS is not set, so API keys cannot be stored. `manage.py serve` makes one in the "
            "data directory, or: python3 -c "
            '"import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
        )
    return keys


def _fernet() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key.strip()) for key in _keys()])
    except ValueError as error:
        raise ImproperlyConfigured("CREDENTIAL_KEYS: each must be 32 bytes in URL-safe base64.") from error
