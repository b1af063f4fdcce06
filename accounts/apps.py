"""The app of teams and client keys."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who asks."""

    name = "accounts"
    verbose_name = "Access"
