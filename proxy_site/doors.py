"""Which door a path leads to: the operators' is told by its first letters, and all else is the clients'."""

from __future__ import annotations

OPERATOR_PATHS = ("/admin", "/static", "/manage")


def is_for_operators(path: str) -> bool:
    """Say whether a path belongs to the operators' door."""
    return path.startswith(OPERATOR_PATHS)
