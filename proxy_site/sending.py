"""The sending half of a connection: whether its client reads, and how long that is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from django.conf import settings

from proxy_site.deadline import Deadline

LEAST_PROGRESS_BYTES = 48 * 1024
"""Who reads at least this much in the idle time is slow, and not gone."""


class SendingSide:
    """What is written and not sent yet, of one connection.

    Attributes:
        is_blocked: what is written piles up.
    """

    __slots__ = ("_give_up", "_stall", "_transport", "_unsent_bytes", "_writable", "is_blocked")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.WriteTransport,
        give_up: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._give_up = give_up
        self._stall = Deadline(loop, self._on_stall)
        self._writable: asyncio.Event | None = None
        self._unsent_bytes = 0
        self.is_blocked = False

    @property
    def has_unsent(self) -> bool:
        """Whether something waits for the client to read."""
        return self._transport.get_write_buffer_size() > 0

    async def wait_writable(self) -> None:
        """Wait until the client reads, or is gone."""
        if self._writable is not None:
            await self._writable.wait()

    def block(self) -> None:
        """The client does not read."""
        self.is_blocked = True
        self._writable = self._writable or asyncio.Event()
        self.watch()

    def unblock(self, *, keep_watching: bool) -> None:
        """It reads again. What is still unsent may have to be watched to its end."""
        if not keep_watching:
            self._stall.lift()
        self.is_blocked = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def watch(self) -> None:
        """Give up the client if it leaves what is written unread for too long."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and not self._stall.is_set:
            self._unsent_bytes = unsent
            self._stall.set(settings.PROXY.idle_timeout_s)

    def end(self) -> None:
        """The connection is gone: nobody waits any more."""
        self._stall.cancel()
        self._give_up = _nothing
        self.unblock(keep_watching=False)

    def _on_stall(self) -> None:
        if self._transport.get_write_buffer_size() > self._unsent_bytes - LEAST_PROGRESS_BYTES:
            self._give_up()
        else:
            self.watch()


def _nothing() -> None:
    """There is nobody to be given up."""
