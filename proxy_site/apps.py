"""The wiring, as an app: it holds the `serve` command."""

from django.apps import AppConfig


class ProxySiteConfig(AppConfig):
    """Wiring."""

    name = "proxy_site"

    def ready(self) -> None:
        """Register the checks of our settings."""
        from proxy_site import checks

        checks.register_all()
