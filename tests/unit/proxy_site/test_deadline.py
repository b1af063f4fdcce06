"""A deadline runs out once, when it was last set for."""

import asyncio

from proxy_site.deadline import Deadline

SOON_S, LATE_S, FAR_S = 0.02, 0.2, 60.0


class Bell:
    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.at: list[float] = []
        self.deadline = Deadline(asyncio.get_running_loop(), self._ring)

    def _ring(self) -> None:
        self.at.append(asyncio.get_running_loop().time())
        self.rung.set()

    async def wait(self) -> None:
        async with asyncio.timeout(5):
            await self.rung.wait()


async def test_it_can_be_set_earlier() -> None:
    bell = Bell()
    bell.deadline.set(FAR_S)
    bell.deadline.set(SOON_S)
    await bell.wait()
    assert not bell.deadline.is_set


async def test_it_can_be_set_later_and_runs_out_once() -> None:
    bell, began = Bell(), asyncio.get_running_loop().time()
    bell.deadline.set(SOON_S)
    bell.deadline.set(LATE_S)
    await bell.wait()
    assert len(bell.at) == 1
    assert bell.at[0] - began >= LATE_S - 0.01


async def test_lifted_or_cancelled_it_does_not_run_out() -> None:
    bells = [Bell(), Bell(), Bell()]
    for bell in bells:
        bell.deadline.set(SOON_S)
    bells[0].deadline.lift()
    bells[1].deadline.cancel()
    await bells[2].wait()
    after = Bell()
    after.deadline.set(SOON_S)
    await after.wait()
    assert [len(bell.at) for bell in bells] == [0, 0, 1]


async def test_lifted_it_can_be_set_again() -> None:
    bell = Bell()
    bell.deadline.set(FAR_S)
    bell.deadline.lift()
    bell.deadline.set(SOON_S)
    await bell.wait()
