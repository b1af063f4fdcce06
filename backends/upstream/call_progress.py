"""How far one call has come, while it is made and after it broke. Costs nothing while an answer comes."""

from __future__ import annotations

import time

import aiohttp
import msgspec


class RefusedSend(msgspec.Struct, frozen=True, gc=False):
    """A call that went out with an API key which the backend refused."""

    status: int
    sent_ns: int
    ended_ns: int


class CallProgress:
    """When a call was sent, with which refusals of keys before, and how much of an answer has come."""

    __slots__ = ("_answer_bytes", "_content", "refused", "sent_ns")

    def __init__(self) -> None:
        self.sent_ns = time.monotonic_ns()
        """0: it is not under way, as every key was refused."""
        self.refused: tuple[RefusedSend, ...] = ()
        self._content: aiohttp.StreamReader | None = None
        self._answer_bytes = 0

    def refuse(self, status: int) -> None:
        """Note that the key was refused with a status."""
        self.refused += (RefusedSend(status, self.sent_ns, time.monotonic_ns()),)
        self.sent_ns = 0
        self._content = None

    def send_again(self) -> None:
        """Note that the call goes out with another key."""
        self.sent_ns = time.monotonic_ns()

    def follow(self, response: aiohttp.ClientResponse) -> None:
        """Count what comes of the body of a response."""
        self._content = response.content

    def stop(self) -> None:
        """Count no more, and let go of the response."""
        self._answer_bytes = self.answer_bytes
        self._content = None

    @property
    def answer_bytes(self) -> int:
        """How many bytes of the body have come."""
        return self._content.total_bytes if self._content is not None else self._answer_bytes
