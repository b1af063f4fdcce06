"""The operators' side: configuration as a file, the server command, later the REST API and the live page."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The operators' second door."""

    name = "console"

    def ready(self) -> None:
        """Hear of logins."""
        from django.contrib.auth.signals import user_logged_in, user_login_failed

        from console import logins, sessions

        user_login_failed.connect(logins.on_failure, dispatch_uid="console.login_failed")
        user_logged_in.connect(logins.on_success, dispatch_uid="console.logged_in")
        user_logged_in.connect(sessions.on_login, dispatch_uid="console.session_began")
