"""One streamed answer of a backend: bytes in, decoded chunks out, and an end that is never invented."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from django.conf import settings

from backends import redaction, transport
from backends.errors import UpstreamCut, UpstreamError, UpstreamGarbled, UpstreamRejected, UpstreamTimeout
from backends.excerpts import excerpt
from backends.routing.snapshot import Target
from backends.wire import failures, openai
from backends.wire.reading import Reads, says_something
from backends.wire.sse import BOM, DONE, NDJSON, EventTooLong, LineDecoder, SSEDecoder

UNTYPED = ("application/octet-stream", "text/plain")
"""A stream's types where a server names none, as small ones do: the first is aiohttp's word for that."""
EVENTS_BEGIN = (b"data:", b"event:", b"id:", b"retry:", b":")
"""How a stream of server-sent events may begin."""
LONGEST_MARK = 16
"""Events up to this length may be a mark or nothing. No chunk is that short."""
MAX_ERROR_BODY = 64 * 1024
MAX_WHOLE_BODY = 64 * 1024 * 1024
DRAIN_S = 0.05
ERROR = b'"error"'
NO_ERROR = (b'"error":null', b'"error": null')
MOST_EVENTS_BEFORE_TEXT = 10_000


class Stream:
    """Batches of decoded chunks: each holds what one read brought, so nothing that came is held back."""

    def __init__(
        self,
        target: Target,
        response: aiohttp.ClientResponse,
        reader: Reads[Any],
        decoder: SSEDecoder | LineDecoder,
    ) -> None:
        self.target = target
        self._read_event = reader.read
        self._read_rest = reader.end
        self.saw_done = False
        self._response = response
        self._content = response.content
        self._decoder = decoder
        self._held: list[Any] = []
        self._over = False
        self._failure: UpstreamError | None = None
        self._redacted = redaction.redactor(target.upstream).data
        self._idle_s = max(settings.PROXY.idle_timeout_s, target.dialect.idle_s or 0)
        self._silence = transport.SilenceGuard(response, self._idle_s)

    async def begin(self) -> None:
        """Read up to the first chunk that says something, which a role alone does not, and keep all of it."""
        if self._response.content_type == "application/json":
            begun = await self._first_bytes()
            if not _begins(begun, EVENTS_BEGIN):
                return await self._begin_whole(begun)
            self._held += self._decode_all(self._decoder.feed(begun))
        elif self._response.content_type in UNTYPED:
            self._held += await self._begin_untyped()
        elif self._response.content_type != self._decoder.media_type:
            raise await self._another_type()
        if any(map(says_something, self._held)):
            return self._silence.start()
        while not self._over:
            came = await self._read()
            self._held += came
            if any(map(says_something, came)):
                return self._silence.start()
            if len(self._held) > MOST_EVENTS_BEFORE_TEXT:
                raise UpstreamGarbled(self.target.upstream.name, "many events that say nothing")
        raise UpstreamCut(self.target.upstream.name, "the stream ended before it began")

    async def _begin_untyped(self) -> list[Any]:
        """Accept what looks like a stream, although its type does not say so."""
        begun = await self._first_bytes()
        if not _begins(begun, (*EVENTS_BEGIN, b"{", BOM)):
            raise self._no_stream(begun)
        return self._decode_all(self._decoder.feed(begun))

    async def _first_bytes(self) -> bytes:
        """Read until there is more than blank lines, which mean nothing here."""
        while (begun := await self._bytes()) and not begun.strip():
            pass
        return begun

    async def _another_type(self) -> UpstreamError:
        """Describe for the operator what came instead."""
        if self._response.content_type == NDJSON:
            hint = "is it Ollama's own API? The base URL of its OpenAI routes ends in /v1"
            return UpstreamGarbled(self.target.upstream.name, f"200 with {NDJSON}: {hint}")
        return self._no_stream(await read_whole(self.target, self._response, MAX_ERROR_BODY))

    def _no_stream(self, body: bytes) -> UpstreamError:
        told = f"200 with {excerpt(self._response.content_type)}, not a stream"
        said = failures.glimpse(body, redaction.hider(self.target.upstream))
        return UpstreamGarbled(self.target.upstream.name, told, said)

    async def _begin_whole(self, begun: bytes) -> None:
        """Some servers ignore `stream`: their whole answer becomes the one chunk."""
        body = begun + await read_whole(self.target, self._response, MAX_WHOLE_BODY)
        (reply,) = self._decode_all([body.strip()]) or (None,)
        self._over = self.saw_done = True
        if reply is None or not reply.choices:
            raise UpstreamGarbled(self.target.upstream.name, "an answer without a choice")
        if not isinstance(reply.choices, list):  # a face of its own, whose events no whole answer tells
            raise UpstreamGarbled(self.target.upstream.name, "200 with a whole answer, not a stream")
        for choice in reply.choices:
            choice.delta = choice.delta or choice.message
        self._held = [reply]

    def __aiter__(self) -> AsyncIterator[list[Any]]:
        return self

    async def __anext__(self) -> list[Any]:
        if self._held:
            held, self._held = self._held, []
            return held
        if self._over:
            raise StopAsyncIteration
        return await self._read()

    async def _read(self) -> list[Any]:
        if self._failure is not None:
            raise self._failure
        data = await self._bytes()
        try:
            events = self._decoder.feed(data) if data else self._end()
        except EventTooLong:
            raise UpstreamGarbled(self.target.upstream.name, "an event without end") from None
        return self._decode_all(events)

    async def _bytes(self) -> bytes:
        try:
            data = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from None
        self._silence.touch()
        return data

    def _decode_all(self, events: list[bytes]) -> list[Any]:
        replies: list[Any] = []
        try:
            for event in events:
                if len(event) <= LONGEST_MARK:
                    event = event.strip()
                    if event == DONE:
                        self._over = self.saw_done = True
                        break
                    if not event:
                        continue
                reply = self._read_event(self._without_keys(event))
                if reply.error:
                    raise error_in(self.target, reply.error)
                replies.append(reply)
        except (UpstreamError, openai.BadReply) as error:
            failure = error if isinstance(error, UpstreamError) else self._garbled(error)
            if not replies:
                raise failure from None
            self._failure = failure  # told behind what came before it, however the network cut the two
            return replies
        if self._over and (rest := self._read_rest()) is not None:
            replies.append(rest)
        return replies

    def _without_keys(self, event: bytes) -> bytes:
        """Take the backend's keys out of an event, in every form of theirs where it tells of an error."""
        event = self._redacted(event)
        if ERROR in event and not any(none in event for none in NO_ERROR):
            hide = redaction.hider(self.target.upstream)
            event = hide(event.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return event

    def _garbled(self, error: openai.BadReply) -> UpstreamError:
        name = self.target.upstream.name
        if self._over:  # the connection ended within this event
            return UpstreamCut(name, "the stream ended within an event")
        return UpstreamGarbled(name, f"a chunk that is not understood: {error}")

    def _end(self) -> list[bytes]:
        self._over = True
        return self._decoder.finish()

    def _broken(self, error: Exception) -> UpstreamError:
        name = self.target.upstream.name
        if self._silence.fired:
            return UpstreamTimeout(name, self._idle_s)
        return UpstreamCut(name, f"the connection broke in mid-answer ({type(error).__name__})")

    async def aclose(self) -> None:
        """Give the connection back if the answer is complete, else drop it at once."""
        self._silence.stop()
        if self.saw_done and not self._content.at_eof():
            await self._drain()
        if self._content.at_eof() and self._content.exception() is None:
            self._response.release()
        else:
            self._response.close()

    async def _drain(self) -> None:
        """Wait a moment for the end of the body behind [DONE]: it saves the next call a handshake."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self._content.at_eof():
                    await self._content.readany()
        except (TimeoutError, aiohttp.ClientError, OSError):
            return


def _begins(data: bytes, beginnings: tuple[bytes, ...]) -> bool:
    """Say whether data begins in one of these ways, or is the beginning of one."""
    first = data.lstrip()
    return any(first.startswith(one) or one.startswith(first) for one in beginnings)


async def read_whole(target: Target, response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read a whole body, up to a limit. Raises an `UpstreamError`."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := await response.content.readany():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise UpstreamGarbled(target.upstream.name, f"an answer of more than {limit} bytes")
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamCut(target.upstream.name, f"the answer broke off ({type(error).__name__})") from None
    return redaction.redactor(target.upstream).data(b"".join(parts))


def error_in(target: Target, error: object) -> UpstreamRejected:
    """Make the error that a backend tells in the body of a 200."""
    hide = redaction.hider(target.upstream)
    message = failures.message_of_error(error, "the backend reported an error", hide)
    status, about_length = failures.status_of_error(error), failures.is_too_long(message)
    code, param = failures.words_of_error(error, hide)
    return UpstreamRejected(
        target.upstream.name, status, message, speaks_of_length=about_length, code=code, param=param
    )
