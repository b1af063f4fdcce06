"""System checks of our settings: what `manage.py serve` says at its start, once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks

from proxy_site.config import RENAMED_VARIABLES


def register_all() -> None:
    """Register every check of this app."""
    checks.register(check_renamed_variables)


def check_renamed_variables(**_: Any) -> list[checks.CheckMessage]:
    """A variable that an earlier release called otherwise is still read, and told of."""
    return [
        checks.Warning(
            f"{former} is called {RENAMED_VARIABLES[former]} now.",
            hint="The former name is read for this release, unless both are set.",
            id="proxy_site.W001",
        )
        for former in settings.PROXY.former_variables
    ]
