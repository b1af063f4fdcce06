"""One request, from the door to its record: who asks, by what, since when, and why it was cancelled.

It needs no HTTP request: operators' probes, traces and the playground open one as the client door does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from accounts.directory import Caller
from gateway.trace_report import TraceReport
from usage.ledger import UsageRecord

Purpose = Literal["client", "probe", "playground", "trace"]
CancelReason = Literal["client_closed", "operator", "shutdown", "deadline"]

NOBODY = Caller(team="")
"""Who asks before authentication, and on routes that need none."""


class RequestContext(msgspec.Struct, kw_only=True):
    """What is known of one request. Times are nanoseconds of the monotonic clock."""

    purpose: Purpose = "client"
    request_id: str = msgspec.field(default_factory=lambda: os.urandom(8).hex())
    caller: Caller = NOBODY
    started_ns: int = msgspec.field(default_factory=time.monotonic_ns)
    headers: Sequence[tuple[bytes, bytes]] = ()
    """The client's headers, names in lower case; a route may pass some on."""
    reports: list[TraceReport] | None = None
    """Takes a report of each translation, where somebody asked for it and may see it."""
    cancel_reason: CancelReason | None = None
    """The first reason for which it was cancelled."""
    detail: str = ""
    """What the request is for, where that is more than its API says: a probe's question."""
    record: UsageRecord | None = None
    """Open from when it is known what is asked."""

    def cancel(self, reason: CancelReason) -> None:
        """Note why the request ends early; only the first reason counts."""
        self.cancel_reason = self.cancel_reason or reason
