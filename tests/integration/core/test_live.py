"""What processes tell each other through Redis, and that nobody needs Redis to be there."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from unittest import mock

import pytest

from core import ttl_store
from gateway import loaded_models
from tests.conftest import Change
from tests.fake_backend import FakeBackend
from tests.support import factories, legs
from tests.support.raw_http import Client

NOBODY = "redis://127.0.0.1:1/0"
"""Nothing listens on port 1."""

redis = pytest.mark.redis


def run(asked: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        try:
            await asked()
        finally:
            await ttl_store.close()

    asyncio.run(whole())


@pytest.fixture
def name() -> str:
    """A space that no other test knows."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(params=["memory", "away", pytest.param("redis", marks=redis)])
def store(request: pytest.FixtureRequest, change: Change) -> str:
    """Where values are: in memory, in memory because Redis is away, or in Redis."""
    urls = {"memory": "", "away": NOBODY, "redis": legs.url(legs.REDIS)}
    change(redis_url=urls[request.param])
    kind: str = request.param
    return kind


@pytest.mark.usefixtures("store")
def test_what_is_put_is_there_until_it_is_dropped(name: str) -> None:
    async def asked() -> None:
        space = ttl_store.Space(name)
        await space.put("a", b"1", 30)
        await space.put("b", b"\x00\xff", 30)
        assert await space.get(["a", "nobody", "b"]) == {"a": b"1", "b": b"\x00\xff"}
        assert await space.all() == {"a": b"1", "b": b"\x00\xff"}
        await space.drop("a")
        await space.drop("nobody")
        assert await space.all() == {"b": b"\x00\xff"}
        assert await space.get([]) == {}
        await space.drop("b")

    run(asked)


@pytest.mark.usefixtures("store")
def test_what_is_over_is_gone(name: str) -> None:
    async def asked() -> None:
        space = ttl_store.Space(name)
        await space.put("a", b"1", 0.02)
        deadline = time.monotonic() + 5
        while await space.get(["a"]):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert await space.all() == {}

    run(asked)


def test_memory_is_bounded(change: Change, name: str) -> None:
    change(redis_url="")

    async def asked() -> None:
        space = ttl_store.Space(name, most=3)
        for number in range(5):
            await space.put(str(number), b"", 30 + number)
        assert sorted(await space.all()) == ["2", "3", "4"]

    run(asked)


@redis
def test_two_processes_see_the_same(change: Change, name: str) -> None:
    change(redis_url=legs.url(legs.REDIS))

    async def asked() -> None:
        one, other = ttl_store.Space(name), ttl_store.Space(name)
        await one.put("a", b"1", 30)
        assert await other.get(["a"]) == await other.all() == {"a": b"1"}
        await other.drop("a")
        assert await one.all() == {}

    run(asked)


@redis
def test_what_another_release_wrote_says_nothing(change: Change) -> None:
    change(redis_url=legs.url(legs.REDIS))
    alias = f"m-{uuid.uuid4().hex}"

    async def asked() -> None:
        await ttl_store.Space("use").put(alias, b'["of tomorrow"]', 30)
        assert alias not in [name for name, _ in await loaded_models.in_use()]
        await ttl_store.Space("use").drop(alias)

    run(asked)


def test_that_redis_is_away_is_said_once(change: Change, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change(redis_url=NOBODY)
    log = mock.Mock()
    monkeypatch.setattr(ttl_store, "log", log)

    async def asked() -> None:
        space = ttl_store.Space(name)
        await space.put("a", b"1", 30)
        await space.get(["a"])

    run(asked)
    ((sentence,), fields) = log.error.call_args
    assert (log.error.call_count, sentence) == (1, "redis away: live state is this process's own")
    assert NOBODY not in str(fields)


@redis
def test_use_is_told_to_the_others_and_its_end_too(change: Change) -> None:
    change(redis_url=legs.url(legs.REDIS))
    alias = f"m-{uuid.uuid4().hex}"

    async def names() -> list[str]:
        return [used for used, _ in await loaded_models.in_use() if used == alias]

    async def asked() -> None:
        loaded_models.use(alias, 60)
        await loaded_models.publish_changes()
        loaded_models.forget()  # as another process, which saw nothing of it
        assert await names() == [alias]
        loaded_models.end(alias)
        await loaded_models.publish_changes()
        assert await names() == []

    run(asked)


@redis
def test_the_others_hear_how_a_name_was_spelled(change: Change) -> None:
    change(redis_url=legs.url(legs.REDIS))
    spelled = f"M-{uuid.uuid4().hex}-Q4_K"

    async def asked() -> None:
        loaded_models.use(spelled.lower(), 60, spelled)
        await loaded_models.publish_changes()
        loaded_models.forget()
        assert spelled in [used for used, _ in await loaded_models.in_use()]
        loaded_models.end(spelled.lower())
        await loaded_models.publish_changes()

    run(asked)


def test_chats_and_ps_go_on_while_redis_is_away(client: Client, fake: FakeBackend, change: Change) -> None:
    factories.route(fake)
    change(redis_url=NOBODY)
    assert client.chat().status == 200
    assert [model["name"] for model in client.get("/api/ps").json["models"]] == ["m:latest"]
    assert client.post("/api/chat", {"model": "m", "keep_alive": 0}).json["done_reason"] == "unload"
    assert client.get("/api/ps").json["models"] == []


@redis
def test_what_all_processes_keep_is_bounded_too(
    change: Change, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(redis_url=legs.url(legs.REDIS))
    monkeypatch.setattr(ttl_store, "MOST", 3)

    async def asked() -> None:
        for number in range(6):  # each by a process of its own
            await ttl_store.Space(name).put(str(number), b"x", 30 + number)
        assert sorted(await ttl_store.Space(name).all()) == ["3", "4", "5"]
        assert await ttl_store._client().exists(f"{ttl_store.PREFIX}:{name}:0") == 0

    run(asked)


def test_memory_is_bounded_in_bytes(change: Change, name: str) -> None:
    change(redis_url="")

    async def asked() -> None:
        space = ttl_store.Space(name, most_bytes=30)
        for number in range(5):
            await space.put(str(number), b"0123456789", 30 + number)
        await space.put("4", b"01234", 34)
        await space.put("too large", b"0" * 31, 90)
        assert sorted(await space.all()) == ["2", "3", "4"]
        await space.put("5", b"012345678901234", 90)
        assert sorted(await space.all()) == ["3", "4", "5"]

    run(asked)
