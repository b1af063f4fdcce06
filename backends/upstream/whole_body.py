"""Bodies that are read whole, up to a limit."""

from __future__ import annotations

import aiohttp
from django.conf import settings

from backends import key_redaction
from backends.errors import UpstreamCut, UpstreamOversized
from backends.routing.snapshot import Target


async def read_answer(target: Target, response: aiohttp.ClientResponse, begun: bytes = b"") -> bytes:
    """Read a whole answer, of which some may have come already. Raises an `UpstreamError`."""
    limit: int = settings.PROXY.max_answer_bytes
    return await read_whole(target, response, limit, begun, "LLAMAGATE_MAX_ANSWER_BYTES")


async def read_whole(
    target: Target, response: aiohttp.ClientResponse, limit: int, begun: bytes = b"", setting: str = ""
) -> bytes:
    """Read a whole body, up to a limit, which a setting may give. Raises an `UpstreamError`."""
    parts = [begun]
    size = len(begun)
    try:
        while part := await response.content.readany():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise UpstreamOversized(target.upstream.name, limit, setting)
    except (aiohttp.ClientError, OSError) as error:
        kind = type(forget_frames(error)).__name__
        raise UpstreamCut(target.upstream.name, f"the answer broke off ({kind})") from None
    return key_redaction.redactor(target.upstream).data(b"".join(parts))


def forget_frames(error: Exception) -> Exception:
    """Part an exception of aiohttp's from the frames that it went through.

    The response keeps it, and so would be kept by it with all that was read. One of them is even a constant
    there: it would keep the frames of every answer that was closed while somebody waited for more of it.
    """
    error.__traceback__ = None
    return error
