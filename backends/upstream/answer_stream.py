"""One streamed answer of a backend: bytes in, decoded chunks out, and an end that is never invented."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from django.conf import settings

from backends import key_redaction
from backends.errors import (
    UpstreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamOversized,
    UpstreamTimeout,
)
from backends.excerpts import excerpt
from backends.routing.snapshot import Target
from backends.upstream import transport
from backends.upstream.rejections import error_in
from backends.upstream.whole_body import forget_frames, read_answer, read_whole
from backends.wire import error_text, failures, lenient, openai_types
from backends.wire.reading import Reads, is_unexplained, says_something
from backends.wire.sse import (
    BOM,
    DEFAULT_LIMIT_BYTES,
    DONE_MARKS,
    EVENTS_BEGIN,
    JSON_BEGINS,
    NDJSON,
    EventTooLong,
    LineDecoder,
    SSEDecoder,
)

UNTYPED = ("application/octet-stream", "text/plain")
"""A stream's types where a server names none, as small ones do: the first is aiohttp's word for that."""
OPENAIS = (b'"choices"', b'"error"')
"""Members that Ollama's own answers have not, or not first."""
LONGEST_MARK = 16
"""Events up to this length may be a mark or nothing. No chunk is that short."""
MAX_ERROR_BODY = 64 * 1024
MAX_LIST_BODY = 8 * 1024 * 1024
"""A list of models, or what a server tells of one."""
SILENT_END = "an answer that ended without a word, for a reason that is not known"
DRAIN_S = 0.05
GRACE_S = 2.0
"""How long what stands behind the end of an answer is waited for: counts come with it or at once."""
ERROR = b'"error"'
NO_ERROR = (b'"error":null', b'"error": null')
MOST_EVENTS_BEFORE_TEXT = 10_000
BYTES_AROUND_AN_EVENT = 1024 * 1024
"""With the longest event, the most before the first words: decoded it is held, and may take many times that.
No honest prelude comes near."""


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
        self.has_seen_done = False
        self.head_ns = time.monotonic_ns()
        self._response = response
        self._content = response.content
        self._decoder = decoder
        self._held: list[Any] = []
        self._over = False
        self._is_ending = False
        """Whether the answer has said that it is over, so that only bookkeeping may follow."""
        self._failure: UpstreamError | None = None
        self._redacted = key_redaction.redactor(target.upstream).data
        self._has_keys = bool(target.upstream.secrets)
        self._idle_s = max(settings.PROXY.idle_timeout_s, target.dialect.idle_timeout_s or 0)
        self._silence = transport.IdleTimeout(response, self._idle_s)

    async def begin(self) -> None:
        """Read up to the first chunk that says something, which a role alone does not, and keep all of it."""
        size = 0
        await self._find_form(await self._first_bytes())
        if any(map(says_something, self._held)):
            return self._start()
        while not self._over:
            data = await self._bytes()
            replies = self._decode_events(data)
            self._held += replies
            if any(map(says_something, replies)):
                return self._start()
            size += len(data)
            self._check_held_size(size)
        raise UpstreamCut(self.target.upstream.name, "the stream ended before it began")

    def _start(self) -> None:
        """Take what is held for the beginning of an answer."""
        if is_unexplained(self._held):
            raise UpstreamGarbled(self.target.upstream.name, SILENT_END)
        self._silence.start()

    def _check_held_size(self, size: int) -> None:
        """Refuse to hold any more events that say nothing. `size`: bytes that they came as."""
        limit = min(self._decoder.limit_bytes + BYTES_AROUND_AN_EVENT, settings.PROXY.max_gathered_bytes)
        if size > limit:
            raise UpstreamOversized(self.target.upstream.name, limit)
        if len(self._held) > MOST_EVENTS_BEFORE_TEXT:
            raise UpstreamGarbled(self.target.upstream.name, "many events that say nothing")

    async def _find_form(self, begun: bytes) -> None:
        """Take the form of what comes for its form, whatever its type says and was asked for."""
        is_expected = self._response.content_type == self._decoder.media_type
        if begun.lstrip()[:1] in JSON_BEGINS and not (is_expected and isinstance(self._decoder, LineDecoder)):
            begun = await self._first_line(begun)
            line, _, more = begun.lstrip().partition(b"\n")
            is_line = lenient.is_whole(line.strip())
            if is_line and self._response.content_type == NDJSON and not any(one in line for one in OPENAIS):
                raise self._another_api()
            if not is_line or not more.strip():
                return await self._begin_whole(begun)
        elif _begins(begun, EVENTS_BEGIN):
            if isinstance(self._decoder, LineDecoder):
                self._decoder = SSEDecoder()
        elif not is_expected and not (self._response.content_type in UNTYPED and _begins(begun, (BOM,))):
            raise await self._no_stream(begun)
        self._held += self._decode_events(begun)

    async def _first_line(self, begun: bytes) -> bytes:
        """Read until something stands behind the first line, or no more comes."""
        parts, size, has_line = [begun], len(begun), False
        while size <= DEFAULT_LIMIT_BYTES:
            _, feed, rest = parts[-1].lstrip(b"" if len(parts) > 1 else None).partition(b"\n")
            if (has_line and parts[-1].strip()) or (feed and rest.strip()):
                break
            has_line = has_line or bool(feed)
            more = await self._bytes()
            if not more:
                break
            parts.append(more)
            size += len(more)
        return b"".join(parts)

    async def _first_bytes(self) -> bytes:
        """Read until there is more than blank lines, which mean nothing here."""
        while (begun := await self._bytes()) and not begun.strip():
            pass
        return begun

    def _another_api(self) -> UpstreamError:
        hint = "is it Ollama's own API? The base URL of its OpenAI routes ends in /v1"
        return UpstreamGarbled(self.target.upstream.name, f"200 with {NDJSON}: {hint}")

    async def _no_stream(self, begun: bytes) -> UpstreamError:
        """Describe for the operator what came instead."""
        body = await read_whole(self.target, self._response, MAX_ERROR_BODY, begun)
        detail = f"200 with {excerpt(self._response.content_type)}, not a stream"
        message = error_text.glimpse(body, key_redaction.hider(self.target.upstream))
        return UpstreamGarbled(self.target.upstream.name, detail, message)

    async def _begin_whole(self, begun: bytes) -> None:
        """Some servers ignore `stream`: their whole answer becomes the one chunk."""
        body = await read_answer(self.target, self._response, begun)
        if error := failures.find_error(body):
            raise error_in(self.target, error)
        (reply,) = self._decode_all([body.strip()]) or (None,)
        self._over = self.has_seen_done = True
        if reply is None or not reply.choices:
            raise UpstreamGarbled(self.target.upstream.name, "an answer without a choice")
        if not isinstance(reply.choices, list):  # an API whose events are of their own kind
            self._held = reply.split()
            return
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
        return self._decode_events(await self._bytes())

    def expect_end(self) -> None:
        """Take the answer as finished: counts and a mark may follow, within a moment, and no faults."""
        self._is_ending = True
        self._silence.end_within(GRACE_S)

    async def _bytes(self) -> bytes:
        """Give what one read brings; empty at the end. Raises what went wrong before it."""
        if self._failure is not None:
            self._raise_failure()
        if self._over:
            return b""
        try:
            data = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            forget_frames(error)
            if self._is_ending:
                return b""
            raise self._explain_break(error) from None
        self._silence.touch()
        return data

    def _decode_events(self, data: bytes) -> list[Any]:
        """Decode the events that are whole with these bytes; none at all mean the end of the stream."""
        try:
            events = self._decoder.feed(data) if data else self._end()
            if events or self._decoder.is_within_event:
                self._silence.note_event()
            return self._decode_all(events)
        except EventTooLong:
            error: UpstreamError = UpstreamGarbled(self.target.upstream.name, "an event without end")
        except (UpstreamGarbled, UpstreamCut) as garbled:
            error = garbled
        if self._is_ending:
            self._over = True
            return []
        raise error.with_traceback(None)

    def _raise_failure(self) -> None:
        """Raise what is held, and let go of it: held on, it would keep this stream and be kept by it."""
        failure, self._failure = self._failure, None
        try:
            if self._is_ending and isinstance(failure, UpstreamGarbled | UpstreamCut):
                self._over = True
            elif failure is not None:
                raise failure
        finally:
            del failure

    def _decode_all(self, events: list[bytes]) -> list[Any]:
        replies: list[Any] = []
        try:
            for event in events:
                if len(event) <= LONGEST_MARK:
                    event = event.strip()
                    if event.upper() in DONE_MARKS:
                        self._over = self.has_seen_done = True
                        break
                    if not event:
                        continue
                if self._has_keys or ERROR in event:
                    event = self._without_keys(event)
                reply = self._read_event(event)
                if reply.error:
                    raise error_in(self.target, reply.error)
                replies.append(reply)
        except (UpstreamError, openai_types.BadReply) as error:
            if not replies:
                raise self._failure_of(error) from None
            # Told behind what came before it, however the network cut the two.
            self._failure = self._failure_of(error).with_traceback(None)
            return replies
        if self._over and (rest := self._read_rest()) is not None:
            replies.append(rest)
        return replies

    def _without_keys(self, event: bytes) -> bytes:
        """Take the backend's keys out of an event, in every form of theirs where it tells of an error."""
        event = self._redacted(event)
        if ERROR in event and not any(none in event for none in NO_ERROR):
            hide = key_redaction.hider(self.target.upstream)
            event = hide(event.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return event

    def _failure_of(self, error: UpstreamError | openai_types.BadReply) -> UpstreamError:
        if isinstance(error, UpstreamError):
            return error
        name = self.target.upstream.name
        if self._over:  # the connection ended within this event
            return UpstreamCut(name, "the stream ended within an event")
        return UpstreamGarbled(name, f"a chunk that is not understood: {error}")

    def _end(self) -> list[bytes]:
        self._over = True
        return self._decoder.finish()

    def _explain_break(self, error: Exception) -> UpstreamError:
        name = self.target.upstream.name
        if self._silence.fired:
            return UpstreamTimeout(name, max(self._idle_s, round(self._silence.silence_s)))
        return UpstreamCut(name, f"the connection broke in mid-answer ({type(error).__name__})")

    async def aclose(self) -> None:
        """Give the connection back if the answer is complete, else drop it at once."""
        self._silence.stop()
        if self.has_seen_done and not self._content.at_eof():
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
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            forget_frames(error)


def _begins(data: bytes, beginnings: tuple[bytes, ...]) -> bool:
    """Say whether data begins in one of these ways, or is the beginning of one."""
    first = data.lstrip()
    return any(first.startswith(one) or one.startswith(first) for one in beginnings)
