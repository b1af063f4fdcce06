"""What processes tell each other while they live: small values with an end, in Redis or in this process.

Nothing here is worth a failure: while Redis is away each process goes on with what it knows itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import structlog
from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger("llamagate.live")

MOST = 10_000
"""Values of one space, in memory and in Redis; the one that ends first makes room."""
MOST_BYTES = 16 * 1024 * 1024
"""The same in memory, in bytes."""
MOST_TASKS = 1000
"""Writes on their way to Redis; what comes while it is that slow stays this process's own."""
PREFIX = "llamagate"
TIMEOUT_S = 0.5

AnswerT = TypeVar("AnswerT")

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = WeakKeyDictionary()
_tasks: set[asyncio.Task[None]] = set()


class Space:
    """Named values of one kind. Memory always knows what this process put; Redis what all did."""

    def __init__(self, name: str, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._name = name
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._values: dict[str, tuple[bytes, float]] = {}
        self._is_away = False

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for some seconds."""
        self._keep(key, value, time.time() + ttl_s)
        if is_shared():
            await self._try_redis(self._put(key, value, ttl_s))

    def put_soon(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for some seconds; other processes see it a moment later."""
        self._keep(key, value, time.time() + ttl_s)
        if is_shared() and len(_tasks) < MOST_TASKS:
            task = asyncio.get_running_loop().create_task(self.put(key, value, ttl_s))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)

    async def drop(self, key: str) -> None:
        """Forget a value."""
        self._forget(key)
        if is_shared():
            await self._try_redis(self._drop(key))

    async def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Give what is there of these, each by its key."""
        wanted = list(keys)
        if is_shared() and wanted:
            found = await self._try_redis(_client().mget([self._key(key) for key in wanted]))
            if found is not None:
                return {
                    key: value for key, value in zip(wanted, found, strict=True) if isinstance(value, bytes)
                }
        now = time.time()
        entries = {key: self._values[key] for key in wanted if key in self._values}
        return {key: value for key, (value, until) in entries.items() if until > now}

    async def all(self) -> dict[str, bytes]:
        """Give everything that is there, at most as much as fits."""
        if is_shared():
            keys = await self._try_redis(self._keys())
            if keys is not None:
                return await self.get(keys)
        return await self.get(list(self._values))

    def forget(self) -> None:
        """Forget what this process knows, between tests."""
        self._values.clear()
        self._bytes = 0

    async def _put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Write the value, and into the index until when it is there."""
        now = time.time()
        async with _client().pipeline(transaction=False) as pipe:
            pipe.set(self._key(key), value, px=max(1, int(ttl_s * 1000)))
            pipe.zadd(self._index, {key: now + ttl_s})
            pipe.zremrangebyscore(self._index, "-inf", now)
            pipe.zcard(self._index)
            *_, count = await pipe.execute()
        if count > MOST:
            await self._make_room(count - MOST)

    async def _make_room(self, count: int) -> None:
        """Drop what ends first of what all processes put."""
        ending: Any = await _client().zpopmin(self._index, count)
        if ending:
            await _client().delete(*(self._key(key.decode()) for key, _ in ending))

    async def _drop(self, key: str) -> None:
        async with _client().pipeline(transaction=False) as pipe:
            pipe.delete(self._key(key))
            pipe.zrem(self._index, key)
            await pipe.execute()

    async def _keys(self) -> list[str]:
        now = time.time()
        found = await _client().zrevrangebyscore(self._index, "+inf", now, start=0, num=self._most)
        return [key.decode() for key in found if isinstance(key, bytes)]

    @property
    def _index(self) -> str:
        """Where keys are listed by their end, so that nobody has to look through all of Redis."""
        return f"{PREFIX}:{self._name}"

    def _keep(self, key: str, value: bytes, until: float) -> None:
        self._forget(key)
        if len(value) > self._most_bytes:
            return
        while not self._has_room_for(value):
            self._forget(min(self._values, key=lambda name: self._values[name][1]))
        self._values[key] = (value, until)
        self._bytes += len(value)

    def _has_room_for(self, value: bytes) -> bool:
        return len(self._values) < self._most and self._bytes + len(value) <= self._most_bytes

    def _forget(self, key: str) -> None:
        entry = self._values.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry[0])

    def _key(self, key: str) -> str:
        return f"{PREFIX}:{self._name}:{key}"

    async def _try_redis(self, asking: Awaitable[AnswerT]) -> AnswerT | None:
        """Await Redis, a moment at the most. None when it is away, which is said once."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await asking
        except (RedisError, OSError, TimeoutError) as error:
            if not self._is_away:
                log.error("redis away: live state is this process's own", reason=type(error).__name__)
            self._is_away = True
            return None
        self._is_away = False
        return answer


def is_shared() -> bool:
    """Whether there is a Redis, so that what is put here is known to other processes."""
    return bool(settings.PROXY.redis_url)


def _client() -> Redis:
    """Give this event loop's client."""
    loop = asyncio.get_running_loop()
    found = _clients.get(loop)
    if found is None:
        found = _clients[loop] = Redis.from_url(settings.PROXY.redis_url, socket_connect_timeout=TIMEOUT_S)
    return found


async def close() -> None:
    """Close this event loop's client."""
    found = _clients.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.aclose()
