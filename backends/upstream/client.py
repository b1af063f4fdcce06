"""The one caller: everything that speaks to a backend while a client waits.

The official SDK prepares a call (URL, authentication, headers), once per key; aiohttp carries it, since its
parser is C and hands out bytes as they come; msgspec reads. Measurements: `docs/adr/0003`.

Whoever holds a `Stream` closes it. Closing before the end drops the connection, which is what makes a backend
stop generating.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import aiohttp
import msgspec
from django.conf import settings

from backends import key_redaction
from backends.addresses import ForbiddenAddress
from backends.errors import (
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
    SILENT_END,
    Stream,
)
from backends.upstream.key_turns import try_keys
from backends.upstream.rejections import error_in, reject
from backends.upstream.whole_body import read_answer, read_whole
from backends.wire import failures, openai_types
from backends.wire.compressed import decompress
from backends.wire.reading import Each, Reads, decode_reply
from backends.wire.sse import DEFAULT_LIMIT_BYTES, EVENTS, NDJSON, LineDecoder, SSEDecoder

__all__ = [
    "SILENT_END",
    "CallProgress",
    "Stream",
    "UpstreamCall",
    "WholeAnswer",
    "error_in",
    "fetch_whole",
    "look",
    "open_stream",
]

LOOK_TIMEOUT_S = 5.0
GOOD = frozenset({200, 201, 203})
"""Statuses of an answer. Some servers call it created; a gateway that changed it may say 203."""
UNPACKED = frozenset({"", "identity", "none"})
"""What a body calls its encoding that has none."""

ResultT = TypeVar("ResultT")


class UpstreamCall(msgspec.Struct, frozen=True):
    """What is sent to one target, and how its answer is read."""

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
    has_large_events: bool = False
    """Whether an event may be as long as what is kept of an answer: it passes with its pictures."""
    is_usual: bool = True
    """Whether every backend has this route; one that has not is passed over."""
    headers: dict[str, str] = {}
    """More headers."""
    accept: str = "application/json"
    """The type of a whole answer."""


class WholeAnswer(msgspec.Struct, frozen=True):
    """An answer that was not streamed."""

    target: Target
    call: UpstreamCall
    body: bytes
    content_type: str = ""
    head_ns: int = 0
    """When its head came, on the monotonic clock."""


class RefusedSend(msgspec.Struct, frozen=True, gc=False):
    """A call that went out with an API key which the backend refused."""

    status: int
    sent_ns: int
    ended_ns: int


class CallProgress:
    """When a call was sent, with which refusals of keys before, and how much of its answer has come.

    It costs nothing while an answer comes.
    """

    __slots__ = ("content", "refused", "sent_ns")

    def __init__(self) -> None:
        self.sent_ns = time.monotonic_ns()
        """0: it is not under way, as every key was refused."""
        self.refused: tuple[RefusedSend, ...] = ()
        self.content: aiohttp.StreamReader | None = None
        """The body that comes, which counts its bytes."""

    def refuse(self, status: int) -> None:
        """Note that the key was refused with a status."""
        self.refused += (RefusedSend(status, self.sent_ns, time.monotonic_ns()),)
        self.sent_ns = 0
        self.content = None

    def send_again(self) -> None:
        """Note that the call goes out with another key."""
        self.sent_ns = time.monotonic_ns()

    def follow(self, response: aiohttp.ClientResponse) -> None:
        """Count what comes of the body of a response."""
        self.content = response.content


async def fetch_whole(target: Target, call: UpstreamCall, progress: CallProgress) -> WholeAnswer:
    """POST to a target, and read the whole answer. Raises an `UpstreamError`."""
    limit_s = settings.PROXY.request_timeout_s
    try:
        async with asyncio.timeout(limit_s):
            return await _send(target, partial(_fetch_whole, target, call, progress), progress)
    except TimeoutError:
        raise UpstreamTimeout(target.upstream.name, limit_s) from None


async def _fetch_whole(
    target: Target, call: UpstreamCall, progress: CallProgress, secret: str
) -> WholeAnswer:
    response = await _post(target, call, call.accept, secret)
    head_ns = time.monotonic_ns()
    progress.follow(response)
    try:
        body = await read_answer(target, response)
    finally:
        response.release() if response.content.at_eof() else response.close()
    if error := failures.find_error(body):
        raise error_in(target, error)
    return WholeAnswer(target, call, body, response.headers.get("Content-Type", ""), head_ns)


async def open_stream(target: Target, call: UpstreamCall, progress: CallProgress) -> Stream:
    """POST to a target that begins to answer: its first words have been read when this returns.

    So a refusal in the first event still counts as a refusal. Raises an `UpstreamError`.
    """
    limit_s = max(settings.PROXY.first_token_timeout_s, target.dialect.first_token_timeout_s or 0)
    try:
        async with asyncio.timeout(limit_s):
            return await _send(target, partial(_open_stream, target, call, progress), progress)
    except TimeoutError:
        raise UpstreamTimeout(target.upstream.name, limit_s) from None


async def _open_stream(target: Target, call: UpstreamCall, progress: CallProgress, secret: str) -> Stream:
    response = await _post(target, call, NDJSON if call.in_lines else EVENTS, secret)
    progress.follow(response)
    most = settings.PROXY.max_gathered_bytes if call.has_large_events else DEFAULT_LIMIT_BYTES
    decoder = LineDecoder(most) if call.in_lines else SSEDecoder(most)
    stream = Stream(target, response, call.reader, decoder)
    try:
        await stream.begin()
    except BaseException:
        await stream.aclose()
        raise
    return stream


async def look(
    target: Target, outgoing: transport.OutgoingRequest, read: Callable[[bytes], ResultT], what: str
) -> ResultT:
    """Get what describes models, within seconds. `what` names it where it is not understood.

    Raises an `UpstreamError`; what `read` refuses with `BadReply` is one.
    """
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            response = await _send(target, partial(_request, target, outgoing), CallProgress())
            try:
                return read(await read_whole(target, response, MAX_LIST_BODY))
            except openai_types.BadReply as error:
                raise UpstreamGarbled(target.upstream.name, f"{what}: {error}") from None
            finally:
                response.release() if response.content.at_eof() else response.close()
    except TimeoutError:
        raise UpstreamTimeout(target.upstream.name, LOOK_TIMEOUT_S) from None


async def _send(target: Target, send: Callable[[str], Awaitable[ResultT]], progress: CallProgress) -> ResultT:
    """Send with the backend's API key; where there are several, with one after the other."""
    secrets = target.upstream.secrets
    if len(secrets) > 1:
        return await try_keys(target.upstream, send, progress)
    return await send(secrets[0] if secrets else "")


async def _post(target: Target, call: UpstreamCall, accept: str, secret: str) -> aiohttp.ClientResponse:
    outgoing = transport.OutgoingRequest(
        "POST",
        call.path,
        call.body,
        accept,
        call.content_type,
        call.from_root,
        target.model,
        call.headers,
    )
    try:
        return await _request(target, outgoing, secret)
    except UpstreamRejected as refused:
        refused.is_unusual = not call.is_usual
        raise


async def _request(
    target: Target, outgoing: transport.OutgoingRequest, secret: str
) -> aiohttp.ClientResponse:
    """Send, and let only a 2xx through whose body is neither compressed nor somewhere else."""
    upstream = target.upstream
    try:
        response = await transport.request(upstream, outgoing, secret)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise UpstreamUnreachable(upstream.name, _explain_connection_error(error)) from None
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamCut(upstream.name, f"no answer came ({type(error).__name__})") from None
    if response.status not in GOOD or _is_encoded(response):
        try:
            raise await _refusal(target, response)
        finally:
            response.close()
    return response


def _explain_connection_error(error: Exception) -> str:
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
    body = await read_whole(target, response, MAX_ERROR_BODY)
    if _is_encoded(response):
        body = decompress(body, response.headers["Content-Encoding"], MAX_ERROR_BODY)
        body = key_redaction.redactor(target.upstream).data(body)
    reason = (response.reason or "").encode("utf-8", "replace").decode()  # it may hold any bytes
    return reject(target, response.status, reason, response.headers, body)


def _is_encoded(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is compressed, although that was not wanted: it may become any size."""
    return response.headers.get("Content-Encoding", "").strip().lower() not in UNPACKED
