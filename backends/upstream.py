"""The one caller: everything that speaks to a backend while a client waits.

The official SDK prepares a call (URL, authentication, headers), once per key; aiohttp carries it, since its
parser is C and hands out bytes as they come; msgspec reads. Measurements: `docs/adr/0003`.

Whoever holds a `Stream` closes it. Closing before the end drops the connection, which is what makes a backend
stop generating.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

import aiohttp
import msgspec
from django.conf import settings

from backends import transport
from backends.errors import (
    NoTargetLeft,
    UpstreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from backends.routing.snapshot import Target
from backends.wire import failures, openai
from backends.wire.sse import EventTooLong, SSEDecoder

DONE = b"[DONE]"
MAX_ERROR_BODY = 64 * 1024
MAX_WHOLE_BODY = 64 * 1024 * 1024
LOOK_TIMEOUT_S = 5.0
DRAIN_S = 0.05

ResultT = TypeVar("ResultT")
Decode = Callable[[bytes], Any]
"""Reads an event. What it gives has `choices` and `error`, as `openai.Reply` has."""


class Ask(msgspec.Struct, frozen=True):
    """What one target is asked."""

    path: str
    """Below the base URL."""
    body: bytes
    decode: Decode = openai.decode_reply
    """Reads one event, or a whole answer of a server that does not stream. Raises `BadReply`."""
    content_type: str = "application/json"
    from_root: bool = False
    """Whether `path` stands beside the base URL's /v1, not below it."""

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self.content_type == "application/json"


Build = Callable[[Target], Ask]


class Whole(msgspec.Struct, frozen=True):
    """An answer that was not streamed."""

    target: Target
    asked: Ask
    body: bytes
    content_type: str = ""


async def ask(targets: Iterable[Target], build: Build, read: Callable[[Whole], ResultT]) -> ResultT:
    """POST to the first target that answers, and read the whole answer.

    `build` says what a target is asked, `read` what is wanted of the answer: what it refuses was no answer,
    and the next target is tried. Raises an `UpstreamError`, the last one if several were tried.
    """

    async def attempt(target: Target) -> ResultT:
        asked = build(target)
        response = await _post(target, asked, "application/json" if asked.is_json else "*/*")
        try:
            body = await _read_whole(target, response, MAX_WHOLE_BODY)
        finally:
            response.release() if response.content.at_eof() else response.close()
        return read(Whole(target, asked, body, response.headers.get("Content-Type", "")))

    return await _first_that_answers(targets, attempt, lambda _: settings.PROXY.request_timeout_s)


async def open_stream(targets: Iterable[Target], build: Build) -> Stream:
    """POST to the first target that begins to answer: its first choice has been read when this returns.

    Until then another target may be tried, so a refusal in the first event still counts as a refusal.
    """

    async def attempt(target: Target) -> Stream:
        asked = build(target)
        response = await _post(target, asked, "text/event-stream")
        stream = Stream(target, response, asked.decode)
        try:
            await stream.begin()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    return await _first_that_answers(targets, attempt, _first_event_limit)


async def look(
    target: Target, outgoing: transport.Outgoing, read: Callable[[bytes], ResultT], what: str
) -> ResultT:
    """Get what describes models, within seconds. `what` names it where it is not understood.

    Raises an `UpstreamError`; what `read` refuses with `BadReply` is one.
    """

    async def attempt(target: Target) -> ResultT:
        response = await _request(target, outgoing)
        try:
            return read(await _read_whole(target, response, MAX_WHOLE_BODY))
        except openai.BadReply as error:
            raise UpstreamGarbled(target.upstream.name, f"{what}: {error}") from None
        finally:
            response.release() if response.content.at_eof() else response.close()

    return await _first_that_answers([target], attempt, lambda _: LOOK_TIMEOUT_S)


class Stream:
    """Batches of decoded chunks: each holds what one read brought, so nothing that came is held back."""

    def __init__(self, target: Target, response: aiohttp.ClientResponse, decode: Decode) -> None:
        self.target = target
        self._decode_event = decode
        self.saw_done = False
        self._response = response
        self._content = response.content
        self._decoder = SSEDecoder()
        self._held: list[Any] = []
        self._over = False
        self._failure: UpstreamError | None = None
        self._idle_s = max(settings.PROXY.idle_timeout_s, target.dialect.idle_s or 0)
        self._silence = transport.SilenceGuard(response, self._idle_s)

    async def begin(self) -> None:
        """Read up to the first chunk that holds a choice, and keep it for the first batch."""
        if self._response.content_type == "application/json":
            return await self._begin_whole()
        if self._response.content_type != "text/event-stream":
            raise UpstreamGarbled(
                self.target.upstream.name, f"200 with {self._response.content_type}, not a stream"
            )
        while not self._over and not any(reply.choices for reply in self._held):
            self._held += await self._read()
        if not any(reply.choices for reply in self._held):
            raise UpstreamCut(self.target.upstream.name, "the stream ended before it began")
        self._silence.start()

    async def _begin_whole(self) -> None:
        """Some servers ignore `stream`: their whole answer becomes the one chunk."""
        body = await _read_whole(self.target, self._response, MAX_WHOLE_BODY)
        reply = self._decode(body)
        if not reply.choices:
            raise UpstreamGarbled(self.target.upstream.name, "an answer without a choice")
        for choice in reply.choices:
            choice.delta = choice.delta or choice.message
        self._held, self._over, self.saw_done = [reply], True, True

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
        try:
            data = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from None
        self._silence.touch()
        try:
            events = self._decoder.feed(data) if data else self._end()
        except EventTooLong:
            raise UpstreamGarbled(self.target.upstream.name, "an event without end") from None
        return self._decode_all(events)

    def _decode_all(self, events: list[bytes]) -> list[Any]:
        replies: list[Any] = []
        try:
            for event in events:
                if event == DONE:
                    self._over = self.saw_done = True
                    break
                if event:
                    replies.append(self._decode(event))
        except UpstreamError as error:
            if not replies:
                raise
            self._failure = error  # told behind what came before it, however the network cut the two
        return replies

    def _decode(self, event: bytes) -> Any:
        try:
            reply = self._decode_event(event)
        except openai.BadReply as error:
            name = self.target.upstream.name
            if self._over:  # the connection ended within this event
                raise UpstreamCut(name, "the stream ended within an event") from None
            raise UpstreamGarbled(name, f"a chunk that is not understood: {error}") from None
        if reply.error is not None:
            raise error_in(self.target, reply.error)
        return reply

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


def _first_event_limit(target: Target) -> float:
    return max(settings.PROXY.first_event_timeout_s, target.dialect.first_event_s or 0)


async def _first_that_answers(
    targets: Iterable[Target],
    attempt: Callable[[Target], Awaitable[ResultT]],
    limit_of: Callable[[Target], float],
) -> ResultT:
    """Try one target after the other, each for as many seconds as `limit_of` gives it."""
    last: UpstreamError | None = None
    for target in list(targets)[: settings.PROXY.max_attempts]:
        if target.upstream.is_locked_out:
            last = UpstreamUnreachable(
                target.upstream.name, "its API key cannot be opened with CREDENTIAL_KEYS"
            )
            continue
        limit_s = limit_of(target)
        try:
            async with asyncio.timeout(limit_s):
                return await attempt(target)
        except TimeoutError:
            last = UpstreamTimeout(target.upstream.name, limit_s)
        except UpstreamError as error:
            if not error.may_try_another:
                raise
            last = error
    raise last or NoTargetLeft("", "no target")


async def _post(target: Target, asked: Ask, accept: str) -> aiohttp.ClientResponse:
    outgoing = transport.Outgoing(
        "POST", asked.path, asked.body, accept, asked.content_type, asked.from_root, target.model
    )
    return await _request(target, outgoing)


async def _request(target: Target, outgoing: transport.Outgoing) -> aiohttp.ClientResponse:
    """Send, and let only a 2xx through whose body is neither compressed nor somewhere else."""
    upstream = target.upstream
    try:
        response = await transport.request(upstream, outgoing)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise UpstreamUnreachable(upstream.name, type(error).__name__) from None
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamCut(upstream.name, f"no answer came ({type(error).__name__})") from None
    if response.status != 200 or "Content-Encoding" in response.headers:
        try:
            raise await _refusal(target, response)
        finally:
            response.close()
    return response


async def _refusal(target: Target, response: aiohttp.ClientResponse) -> UpstreamError:
    name = target.upstream.name
    if response.status < 300:
        return UpstreamGarbled(
            name, f"status {response.status}, encoding {response.headers.get('Content-Encoding')}"
        )
    if response.status < 400:
        return UpstreamGarbled(name, f"status {response.status}, a redirect: correct the backend's base URL")
    body = await _read_whole(target, response, MAX_ERROR_BODY)
    message = failures.message_of(body, response.reason or "")
    wait_s, about_length = failures.retry_after_s(response.headers), failures.is_too_long(message)
    return UpstreamRejected(name, response.status, message, wait_s, speaks_of_length=about_length)


async def _read_whole(target: Target, response: aiohttp.ClientResponse, limit: int) -> bytes:
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
    return b"".join(parts)


def error_in(target: Target, error: object) -> UpstreamRejected:
    """Make the error that a backend tells in the body of a 200."""
    message = failures.message_of_error(error, "the backend reported an error")
    status, about_length = failures.status_of_error(error), failures.is_too_long(message)
    return UpstreamRejected(target.upstream.name, status, message, speaks_of_length=about_length)
