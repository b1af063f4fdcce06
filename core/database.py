"""How long a statement may wait for PostgreSQL: a deadline on our side of every connection.

A server whose network went away answers nothing, and TCP alone notices that after minutes, or never where
something in between still acknowledges. PostgreSQL's own `statement_timeout` cannot help there; poolers
refuse it when a session starts, and let a `SET` leak into the sessions of others. So the client keeps the
time: at the deadline it asks the server to cancel the statement, closes the connection and raises.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from psycopg.abc import PQGen

RV = TypeVar("RV")
CANCEL_S = 1.0
"""Longest time for asking the server to cancel; a server that hangs does not hear it."""
UNLIMITED = float("inf")

_limit_s: ContextVar[float | None] = ContextVar("statement limit in seconds", default=None)


@contextmanager
def statement_limit(limit_s: float) -> Iterator[None]:
    """Let each statement of this thread take so many seconds, whatever the setting says."""
    token = _limit_s.set(limit_s)
    try:
        yield
    finally:
        _limit_s.reset(token)


def lift_statement_limit() -> Any:
    """Let statements take as long as they need: migrations, and locks that wait for those of others."""
    return statement_limit(UNLIMITED)


class NoAnswer(psycopg.OperationalError):
    """The server did not answer a statement in time."""


class LimitedConnection(psycopg.Connection[Any]):
    """A connection none of whose statements waits longer than the limit.

    Raises:
        NoAnswer: from whatever executes a statement; the connection is closed then.
    """

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run one conversation with the server, such as a statement with all its rows."""
        limit_s = _limit_s.get()
        if limit_s is None:
            limit_s = settings.PROXY.database_timeout_s
        if timeout is not None or limit_s == UNLIMITED:
            return super().wait(gen, interval=interval, timeout=timeout)
        deadline = time.monotonic() + limit_s
        try:
            return super().wait(gen, interval=interval, timeout=limit_s)
        except psycopg.OperationalError as error:
            if self.closed or time.monotonic() < deadline:
                raise
            self._give_up()
            raise NoAnswer(f"no answer within {limit_s:g} seconds") from error

    def _give_up(self) -> None:
        """End the statement: also at the server, which would go on waiting for its lock otherwise."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=CANCEL_S)
        self.pgconn.finish()
