"""System checks: what would fail later is said at start, with what to do about it."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks


def register_all() -> None:
    """Register every check of this app."""
    checks.register(check_credential_keys)
    checks.register(check_workers)


def check_credential_keys(**_: Any) -> list[checks.CheckMessage]:
    """Every sealing key must be a Fernet key; none at all is worth a warning."""
    if not settings.PROXY.credential_keys:
        return [
            checks.Warning(
                "CREDENTIAL_KEYS is not set: API keys of backends cannot be stored.",
                hint="`manage.py serve` makes one in the data directory; replicas must be given one.",
                id="backends.W001",
            )
        ]
    return [
        _malformed(place) for place, key in enumerate(settings.PROXY.credential_keys, 1) if not _is_key(key)
    ]


def _malformed(place: int) -> checks.CheckMessage:
    return checks.Error(
        f"CREDENTIAL_KEYS: key number {place} is not 32 bytes in URL-safe base64.", id="backends.E001"
    )


def _is_key(text: str) -> bool:
    try:
        Fernet(text.strip())
    except ValueError:
        return False
    return True


def check_workers(**_: Any) -> list[checks.CheckMessage]:
    """Several workers need a broker for what they must tell each other live."""
    if settings.PROXY.workers > 1 and not settings.PROXY.redis_url:
        return [
            checks.Info(
                "Several workers without Redis: each keeps its own live state.",
                hint="Set REDIS_URL to share it. Routing and keys are shared through the database.",
                id="backends.I001",
            )
        ]
    return []
