"""The wiring, as an app: it holds the `serve` command."""

from django.apps import AppConfig


class ProxySiteConfig(AppConfig):
    """Wiring."""

    name = "proxy_site"
