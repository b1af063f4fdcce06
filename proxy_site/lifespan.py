"""Start and stop with the server: follow the database, and close the pools.

Uvicorn sends lifespan events. Daphne sends none, so the first request starts what is not started yet.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

from accounts.directory import access
from backends.health import recovery
from backends.routing.registry import routing
from backends.upstream import transport
from core import ttl_store
from core.follower import Follower
from gateway import learned_fields

LOAD_TIMEOUT_S = 10.0

_follower: Follower | None = None
has_loaded = False
"""Whether the database has been read once, since the start or the last stop."""
_lock = threading.Lock()


class NotReady(RuntimeError):
    """The database could not be read even once, so there is nothing to serve from."""


async def start_once() -> None:
    """Follow the database, and wait until it has been read once. Costs nothing after that."""
    global has_loaded  # one process, one state
    if has_loaded:
        return
    has_loaded = await asyncio.to_thread(_start().wait_for_caches, LOAD_TIMEOUT_S)
    if not has_loaded:
        raise NotReady("the database cannot be read; see the log for why")
    learned_fields.follow()


async def stop() -> None:
    """Stop following and let go of every connection."""
    global _follower, has_loaded  # one process, one state
    learned_fields.stop()
    await recovery.stop()
    await transport.close()
    await ttl_store.close()
    if _follower is not None:
        await asyncio.to_thread(_follower.stop)
    _follower, has_loaded = None, False


def _start() -> Follower:
    global _follower  # one process, one state
    with _lock:
        if _follower is None:
            _follower = Follower([routing, access, learned_fields.learnt], settings.PROXY.snapshot_poll_s)
            _follower.start()
        return _follower


class Lifespan:
    """The ASGI lifespan protocol."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Start, wait, stop."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await start_once()
                except NotReady as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
