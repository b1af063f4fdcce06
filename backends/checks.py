"""System checks: what would fail later is said at start, with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import DatabaseError

from core import plain_secrets
from core.model_names import canonical


def register_all() -> None:
    """Register every check of this app."""
    checks.register(check_credential_keys)
    checks.register(check_workers)
    checks.register(check_profiles, checks.Tags.database)
    checks.register(check_names, checks.Tags.database)


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
        _report_malformed_key(place)
        for place, key in enumerate(settings.PROXY.credential_keys, 1)
        if not _is_key(key)
    ]


def _report_malformed_key(place: int) -> checks.CheckMessage:
    return checks.Error(
        f"CREDENTIAL_KEYS: key number {place} is not 32 bytes in URL-safe base64.", id="backends.E001"
    )


def _is_key(text: str) -> bool:
    try:
        Fernet(text.strip())
    except ValueError:
        return False
    return True


def check_profiles(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """An earlier release took credentials in profiles, in plain text. They are still used, and told of.

    Runs with what looks at the database: `migrate`, and `check --database default`.
    """
    if not databases:
        return []
    try:
        return [checks.Warning(sentence, hint=MOVE, id="backends.W002") for sentence in list_plain_secrets()]
    except DatabaseError:
        return []  # there are no tables yet


MOVE = (
    "Make it one of the backend's API keys, which are stored encrypted (`auth` in the profile says in which "
    "header they are sent), and take it out of the profile."
)


def list_plain_secrets() -> list[str]:
    """Say of each backend what its profile holds in plain text, without saying what that is."""
    backends: Any = apps.get_model("backends", "Backend").objects
    return [
        f"backend {name}: its profile holds what looks like a credential, in plain text: {', '.join(found)}"
        for name, profile in backends.order_by("name").values_list("name", "profile")
        if (found := plain_secrets.find(profile))
    ]


def check_names(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """An earlier release could store two spellings of one name, of which it served one.

    Runs with what looks at the database.
    """
    if not databases:
        return []
    try:
        return [
            checks.Warning(sentence, hint=RENAME, id="backends.W003") for sentence in list_name_conflicts()
        ]
    except DatabaseError:
        return []  # there are no tables yet, or not this column


RENAME = "Rename one of them, or delete it, in the admin."


def list_name_conflicts() -> list[str]:
    """Say which mappings are not found by their name."""
    mappings: Any = apps.get_model("backends", "ModelMapping").objects
    rows = list(mappings.order_by("name").values_list("name", "canonical_name"))
    holders = {stored: name for name, stored in rows}
    return [
        _describe_name_conflict(name, stored, holders) for name, stored in rows if stored != canonical(name)
    ]


def _describe_name_conflict(name: str, stored: str | None, holders: dict[str | None, str]) -> str:
    if stored is not None:  # written past our models
        return f"mapping {name}: its name was changed past this program, and is not guarded: save it again"
    holder = holders.get(canonical(name))
    if holder is None:
        return f"mapping {name} is off: it had lost its name to another mapping, which is gone"
    return f"mapping {name} is off: clients cannot tell it from the mapping {holder}, which has its name"


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
