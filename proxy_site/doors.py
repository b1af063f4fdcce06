"""Which door a path leads to: the operators' is told by its first letters, and all else is the clients'."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller

OPERATOR_PATHS = ("/admin", "/static", "/manage")

is_for_operators: Callable[[str], bool] = methodcaller("startswith", OPERATOR_PATHS)
"""Say whether a path belongs to the operators' door. Every request is asked, so it is one call of C."""
