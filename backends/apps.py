"""The app of backends, credentials and mappings."""

from django.apps import AppConfig


class BackendsConfig(AppConfig):
    """Connects the one signal handler that makes a saved change known, and the system checks."""

    name = "backends"
    verbose_name = "Routing"

    def ready(self) -> None:
        """Load what registers itself."""
        from backends import checks
        from core import revisions

        revisions.connect(self)
        checks.register_all()
