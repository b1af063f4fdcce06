"""Bodies of requests while they are received and held: counted, each and all together, and timed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from ollama_api.request import Message, Receive, Send
from proxy_site.content_coding import MOST_BYTES as DECODED_MOST
from proxy_site.content_coding import BodyDecoder, UnreadableCoding
from proxy_site.refusals import Refused, refuse
from usage.bounded_log import BoundedLog

log = structlog.get_logger("llamagate.bodies")

RETRY_AFTER_S = 1
GONE: Message = {"type": "http.disconnect"}


class BodyBudget:
    """Bytes of bodies that this process holds: what was received for requests that are not over."""

    def __init__(self, limit: int, inside: BodyBudget | None = None) -> None:
        self.limit = limit
        self.held = 0
        self._inside = inside
        """The budget of which this one is a part: what is taken here is taken there, too."""
        self._full = BoundedLog(log, "request bodies at their limit", limit=limit)

    def has_room(self, size: int) -> bool:
        """Say whether so many bytes could be taken now."""
        fits = self.held + size <= self.limit
        return fits and (self._inside is None or self._inside.has_room(size))

    def require_room(self, size: int) -> None:
        """Raise `Refused` if so many bytes could not be taken now."""
        if not self.has_room(size):
            self._full.warning(held=self.held)
            raise Refused(503, too_many(self.limit), close=True, retry_after_s=RETRY_AFTER_S)

    def take(self, size: int) -> None:
        """Count bytes as held. Raises `Refused`: there is no room for them."""
        self.require_room(size)
        self._add(size)

    def give_back(self, size: int) -> None:
        """Count bytes as no longer held."""
        self._add(-size)

    def _add(self, size: int) -> None:
        self.held += size
        if self._inside is not None:
            self._inside._add(size)


@dataclass(frozen=True, slots=True)
class BodyRules:
    """What a body at one of the doors may need: bytes, seconds, and a part of what all may hold together."""

    most_bytes: int
    idle_s: float
    total_s: float
    budget: BodyBudget


class CountedBody:
    """Counts and times a body while an application receives it; answers for it when it goes too far.

    Its bytes are held until `release`: an application keeps them, whole or parsed, while its request lasts.
    """

    __slots__ = (
        "_deadline",
        "_declared",
        "_decoder",
        "_held",
        "_most_bytes",
        "_path",
        "_receive",
        "_refused",
        "_rules",
        "_send",
        "_whole",
    )

    def __init__(
        self,
        receive: Receive,
        send: Send,
        path: str,
        rules: BodyRules,
        declared: int | None,
        decoder: BodyDecoder | None = None,
    ) -> None:
        self._receive = receive
        self._send = send
        self._path = path
        self._rules = rules
        self._declared = declared
        """The length that the head tells, None for a chunked body."""
        self._decoder = decoder
        self._most_bytes = rules.most_bytes if decoder is None else min(rules.most_bytes, DECODED_MOST)
        self._held = 0
        self._whole = False
        self._refused = False
        self._deadline = asyncio.get_running_loop().time() + rules.total_s

    async def receive(self) -> Message:
        """Receive the next piece. Once refused, the client counts as gone."""
        if self._whole:
            return await self._receive()
        if self._refused:
            return GONE
        try:
            return await self._piece()
        except Refused as refused:
            self._refused = True
            await refuse(refused, self._path, self._send)
            return GONE

    def release(self) -> None:
        """The request is over: nothing of its body is held any more. To release twice releases once."""
        size, self._held = self._held, 0
        self._rules.budget.give_back(size)

    async def _piece(self) -> Message:
        if self._held == 0 and self._declared is not None:
            # Not reserved: a head alone, which costs nothing, would keep others out.
            self._rules.budget.require_room(self._declared)
        left_s = self._deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self._rules.idle_s, left_s)):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, "the request's body did not arrive in time", close=True) from None
        if self._decoder is not None:
            message = await self._decode(self._decoder, message)
        else:
            self._count(len(message.get("body", b"")))
        self._whole = not message.get("more_body", False)
        return message

    async def _decode(self, decoder: BodyDecoder, message: Message) -> Message:
        """Decompress a piece. What is counted, and bounded, is what comes out of it."""
        parts: list[bytes] = []
        has_more_body = message.get("more_body", False)
        try:
            decoder.feed(message.get("body", b""))
            self._check_size(decoder.taken)  # much may hold nothing
            while decoder.has_more:
                # The first step is as short as reading the piece was; whatever expands to more is not.
                part = await asyncio.to_thread(decoder.step) if parts else decoder.step()
                self._count(len(part))
                parts.append(part)
            if not has_more_body and message["type"] == "http.request":
                decoder.require_end()
        except UnreadableCoding as error:
            raise Refused(400, str(error), close=True) from None
        return {**message, "body": b"".join(parts)}

    def _count(self, size: int) -> None:
        self._check_size(self._held + size)
        self._rules.budget.take(size)
        self._held += size

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes:
            raise Refused(413, too_large(self._most_bytes), close=True)


def too_large(limit: int) -> str:
    """Say how much may come."""
    return f"request body too large: at most {limit} bytes"


def too_many(limit: int) -> str:
    """Say how much all bodies together may hold."""
    return f"this server holds as many request bodies as it may ({limit} bytes): try again in a moment"


def without_body(receive: Receive) -> Receive:
    """Hide a body that nobody wants from an application that would read any. Nothing is kept of it."""
    is_told = False

    async def receive_without_body() -> Message:
        nonlocal is_told
        if not is_told:
            is_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    return receive_without_body
