"""Who changed a mapping last, as `ModelMapping.changed_by` says it: an operator, or else a client. Pure."""

from __future__ import annotations

APPLY = "apply"
"""`manage.py apply`."""
ADMIN = "admin "


def operator(username: str) -> str:
    """Name somebody in the admin."""
    return f"{ADMIN}{username}"


def is_client(changed_by: str) -> bool:
    """Say whether it was a client: what no operator's way leaves behind."""
    return bool(changed_by) and changed_by != APPLY and not changed_by.startswith(ADMIN)
