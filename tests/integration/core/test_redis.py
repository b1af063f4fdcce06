"""With REDIS_URL, what processes tell each other live goes through Redis."""

import asyncio
import sys

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.asyncio import Redis

from tests.support import environment, legs

pytestmark = pytest.mark.redis
CODE = """
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache

cache.set("llamagate-tests", "from another process", timeout=30)
async_to_sync(get_channel_layer().group_send)("llamagate-tests", {"type": "hello", "text": "from afar"})
"""


async def test_a_message_and_a_cached_value_cross_processes() -> None:
    layer = RedisPubSubChannelLayer(hosts=[legs.url(legs.REDIS)])
    channel = await layer.new_channel()
    await layer.group_add("llamagate-tests", channel)
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "manage.py", "shell", "--no-imports", "-c", CODE),
        cwd=environment.ROOT,
        env=environment.closed(REDIS_URL=legs.url(legs.REDIS)),
    )
    async with Redis.from_url(legs.url(legs.REDIS)) as server:
        try:
            assert await other.wait() == 0
            heard = await asyncio.wait_for(layer.receive(channel), 5)
            assert heard == {"type": "hello", "text": "from afar"}
            assert "from another process" in str(await server.get(":1:llamagate-tests"))
        finally:
            await server.delete(":1:llamagate-tests")
            await layer.flush()
