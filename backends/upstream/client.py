"""The one caller: everything that speaks to a backend while a client waits.

The official SDK prepares a call (URL, authentication, headers), once per key; aiohttp carries it, since its
parser is C and hands out bytes as they come; msgspec reads. Measurements: `docs/adr/0003`.

Whoever holds a `Stream` closes it. Closing before the end drops the connection, which is what makes a backend
stop generating.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import aiohttp
import msgspec
from django.conf import settings

from backends import key_redaction
from backends.addresses import ForbiddenAddress
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
from backends.upstream import transport
from backends.upstream.answer_stream import (
    MAX_ERROR_BODY,
    MAX_LIST_BODY,
    Stream,
    error_in,
    read_answer,
    read_whole,
)
from backends.wire import failures, openai_types, retry
from backends.wire.reading import Each, Reads, decode_reply
from backends.wire.sse import EVENTS, NDJSON, LineDecoder, SSEDecoder

__all__ = ["BuildCall", "Stream", "UpstreamCall", "WholeAnswer", "ask", "error_in", "look", "open_stream"]

LOOK_TIMEOUT_S = 5.0

ResultT = TypeVar("ResultT")


class UpstreamCall(msgspec.Struct, frozen=True):
    """What one target is asked."""

    path: str
    """Below the base URL."""
    body: bytes
    reader: Reads[Any] = Each(decode_reply)
    """Reads one event, or a whole answer of a server that does not stream. Raises `BadReply`."""
    content_type: str = "application/json"
    from_root: bool = False
    """Whether `path` stands beside the base URL's /v1, not below it."""
    in_lines: bool = False
    """Whether a stream comes as a JSON object a line, not as server-sent events."""
    is_usual: bool = True
    """Whether every backend has this route; one that has not is passed over."""
    headers: dict[str, str] = {}
    """More headers."""
    accept: str = "application/json"
    """The type of a whole answer."""


BuildCall = Callable[[Target], UpstreamCall]


class WholeAnswer(msgspec.Struct, frozen=True):
    """An answer that was not streamed."""

    target: Target
    asked: UpstreamCall
    body: bytes
    content_type: str = ""


async def ask(targets: Iterable[Target], build: BuildCall, read: Callable[[WholeAnswer], ResultT]) -> ResultT:
    """POST to the first target that answers, and read the whole answer.

    `build` says what a target is asked, `read` what is wanted of the answer: what it refuses was no answer,
    and the next target is tried. Raises an `UpstreamError`, the last one if several were tried.
    """

    async def attempt(target: Target) -> ResultT:
        asked = build(target)
        response = await _post(target, asked, asked.accept)
        try:
            body = await read_answer(target, response)
        finally:
            response.release() if response.content.at_eof() else response.close()
        return read(WholeAnswer(target, asked, body, response.headers.get("Content-Type", "")))

    return await _first_that_answers(targets, attempt, lambda _: settings.PROXY.request_timeout_s)


async def open_stream(targets: Iterable[Target], build: BuildCall) -> Stream:
    """POST to the first target that begins to answer: its first words have been read when this returns.

    Until then another target may be tried, so a refusal in the first event still counts as a refusal.
    """

    async def attempt(target: Target) -> Stream:
        asked = build(target)
        response = await _post(target, asked, NDJSON if asked.in_lines else EVENTS)
        stream = Stream(target, response, asked.reader, LineDecoder() if asked.in_lines else SSEDecoder())
        try:
            await stream.begin()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    return await _first_that_answers(targets, attempt, _first_event_limit)


async def look(
    target: Target, outgoing: transport.OutgoingRequest, read: Callable[[bytes], ResultT], what: str
) -> ResultT:
    """Get what describes models, within seconds. `what` names it where it is not understood.

    Raises an `UpstreamError`; what `read` refuses with `BadReply` is one.
    """

    async def attempt(target: Target) -> ResultT:
        response = await _request(target, outgoing)
        try:
            return read(await read_whole(target, response, MAX_LIST_BODY))
        except openai_types.BadReply as error:
            raise UpstreamGarbled(target.upstream.name, f"{what}: {error}") from None
        finally:
            response.release() if response.content.at_eof() else response.close()

    return await _first_that_answers([target], attempt, lambda _: LOOK_TIMEOUT_S)


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
                target.upstream.name, "none of its API keys can be used: the server's log says why"
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
    try:
        raise last or NoTargetLeft("", "no target")
    finally:
        del last  # an exception that its own frame holds is a cycle, with everything that the frame holds


async def _post(target: Target, asked: UpstreamCall, accept: str) -> aiohttp.ClientResponse:
    outgoing = transport.OutgoingRequest(
        "POST",
        asked.path,
        asked.body,
        accept,
        asked.content_type,
        asked.from_root,
        target.model,
        asked.headers,
    )
    try:
        return await _request(target, outgoing)
    except UpstreamRejected as refused:
        refused.is_unusual = not asked.is_usual
        raise


async def _request(target: Target, outgoing: transport.OutgoingRequest) -> aiohttp.ClientResponse:
    """Send, and let only a 2xx through whose body is neither compressed nor somewhere else."""
    upstream = target.upstream
    try:
        response = await transport.request(upstream, outgoing)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise UpstreamUnreachable(upstream.name, _why_not_connected(error)) from None
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamCut(upstream.name, f"no answer came ({type(error).__name__})") from None
    if response.status != 200 or _is_encoded(response):
        try:
            raise await _refusal(target, response)
        finally:
            response.close()
    return response


def _why_not_connected(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ForbiddenAddress):
        return str(cause)
    if isinstance(cause, aiohttp.InvalidURL):
        return f"its base URL cannot be called: write its address in the usual way ({type(cause).__name__})"
    return type(error).__name__


async def _refusal(target: Target, response: aiohttp.ClientResponse) -> UpstreamError:
    name = target.upstream.name
    if response.status < 300:
        return UpstreamGarbled(name, f"status {response.status}, and the answer is compressed")
    if response.status < 400:
        return UpstreamGarbled(name, f"status {response.status}, a redirect: correct the backend's base URL")
    body = b"" if _is_encoded(response) else await read_whole(target, response, MAX_ERROR_BODY)
    hide = key_redaction.hider(target.upstream)
    reason = (response.reason or "").encode("utf-8", "replace").decode()  # it may hold any bytes
    message = failures.message_of(body, reason, hide)
    status = failures.status_of(response.status, body)
    wait_s, about_length = retry.retry_after_s(response.headers), failures.is_too_long(message)
    code, param = failures.words_of(body, hide)
    return UpstreamRejected(
        name, status, message, wait_s, speaks_of_length=about_length, code=code, param=param
    )


def _is_encoded(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is compressed, although that was not wanted: it may become any size."""
    return response.headers.get("Content-Encoding", "identity").lower() != "identity"
