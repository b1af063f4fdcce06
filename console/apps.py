"""The operators' side: configuration as a file, the server command, later the REST API and the live page."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The operators' second door."""

    name = "console"
