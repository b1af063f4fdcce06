"""How long an operator stays logged in: some idle hours, and some days in any case.

The idle time is Django's own SESSION_COOKIE_AGE, kept by the database; here it is moved on, once a minute at
most, and the age of the whole is looked at, which Django has no setting for.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

BEGAN, SEEN = "began", "seen"
MOVE_ON_S = 60.0
"""A session is saved for being used no more often than that."""


class SessionLimits(MiddlewareMixin):
    """After Django's session middleware and before the one that asks who it is."""

    def process_request(self, request: HttpRequest) -> None:
        """End a session that is too old; move the end of any other on."""
        session = request.session
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or SESSION_KEY not in session:
            return
        now = time.time()
        if now - session.setdefault(BEGAN, now) > settings.PROXY.session_max_s:
            session.flush()
        elif now - session.get(SEEN, 0) > min(MOVE_ON_S, settings.SESSION_COOKIE_AGE / 2):
            session[SEEN] = now


def begin(session: SessionBase) -> None:
    """Note that somebody logged in, and forget the sessions of those who never logged out."""
    session[BEGAN] = session[SEEN] = time.time()
    session.clear_expired()


def on_login(request: HttpRequest, **_: Any) -> None:
    """Receive Django's `user_logged_in`."""
    begin(request.session)
