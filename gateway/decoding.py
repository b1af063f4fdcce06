"""Bodies to typed requests: long ones in a thread, so that nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

CallT = TypeVar("CallT")

LONG_BODY = 256 * 1024
"""Bytes that take some milliseconds, if they hold the smallest things."""

# A pool of its own, and a small one: long bodies wait for each other, and nothing else waits for them.
_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="decode")


async def decode_body(read: Callable[[bytes], CallT], body: bytes) -> CallT:
    """Read a body with a pure function. Raises what that raises."""
    if len(body) <= LONG_BODY:
        return read(body)
    return await asyncio.get_running_loop().run_in_executor(_pool, read, body)
