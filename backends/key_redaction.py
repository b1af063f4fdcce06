"""Which keys are known here and now: those of the backend that is asked, and the caller's own."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from backends.routing.snapshot import Upstream
from backends.wire.redaction import Hide, Redactor, redactor_of

LEAST_CALLERS = 16
"""No shorter key lets anybody in; many clients always send a dummy, which may be a word."""

Presented = Callable[[], tuple[str, ...]]


def _nothing() -> tuple[str, ...]:
    return ()


_presented: ContextVar[Presented] = ContextVar("presented", default=_nothing)


def know_caller(presented: Presented) -> None:
    """Note what this request's caller presented; it is asked for when a text has to be redacted."""
    _presented.set(presented)


def redactor(upstream: Upstream) -> Redactor:
    """Give what takes this backend's keys out."""
    return redactor_of(upstream.secrets)


def hider(upstream: Upstream) -> Hide:
    """Give what takes this backend's keys and the caller's out of an error's text."""
    own = tuple(secret for secret in _presented.get()() if len(secret) >= LEAST_CALLERS)
    backends = redactor(upstream).text
    if not own:
        return backends
    callers = Redactor(own).text
    return lambda text: callers(backends(text))
