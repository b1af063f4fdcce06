"""Logging in: one password at a time, and a line in the log for each that was wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse

from console.throttle import client_address

log = structlog.get_logger("llamagate.logins")

TURN_S = 5.0
LINES_A_MINUTE = 60

View = Callable[..., HttpResponse]
_turn = threading.Lock()


def one_at_a_time(view: View) -> View:
    """Let logins take turns: many at once would all be tried before the first that failed is counted.

    A password takes a processor for a good part of a second, which clients need too.
    """

    @wraps(view)
    def taking_turns(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        if not _turn.acquire(timeout=TURN_S):
            return HttpResponse("Too many people log in just now. Try again.", status=503)
        try:
            return view(request, *args, **kwargs)
        finally:
            _turn.release()

    return taking_turns


class LineBudget:
    """So many lines a minute: who floods the login must not fill the log."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._lock = threading.Lock()
        self._minute = -1
        self._used = 0

    def take(self) -> tuple[bool, int]:
        """Say whether one more line may be written, and how many were left out the minute before."""
        minute = int(time.monotonic() // 60)
        with self._lock:
            left_out = 0
            if minute != self._minute:
                left_out = max(0, self._used - self._a_minute)
                self._minute, self._used = minute, 0
            self._used += 1
            return self._used <= self._a_minute, left_out


_budget = LineBudget(LINES_A_MINUTE)


def on_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Receive Django's `user_login_failed`.

    A name is told only if somebody has it: people type passwords into the wrong field.
    """
    allowed, left_out = _budget.take()
    if left_out:
        log.warning("failed logins not told: too many", count=left_out)
    if not allowed:
        return
    name = str(credentials.get("username") or "")
    users = get_user_model().objects
    is_known = users.filter(username=name).exists()
    log.warning(
        "login failed",
        user=name if is_known else "",
        known=is_known,
        address=_address(request),
        locked=bool(getattr(request, "axes_locked_out", False)),
    )


def on_success(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """Receive Django's `user_logged_in`."""
    log.info("logged in", user=user.get_username(), address=_address(request))


def _address(request: HttpRequest | None) -> str:
    return "" if request is None else str(client_address(request) or "")
