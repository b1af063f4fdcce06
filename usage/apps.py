"""The app of what was asked: today a log line per request; records and sums have their place here."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """What was asked."""

    name = "usage"
