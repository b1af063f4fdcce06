"""Lines that strangers can cause: bounded in number and size, and what is left out is told."""

import asyncio
from typing import Any

from usage.bounded_log import LONGEST_FIELD, BoundedLog


class Lines:
    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.more = asyncio.Event()

    def warning(self, event: str, **fields: Any) -> None:
        self.all.append({"event": event, **fields})
        if "left out" in event:
            self.more.set()


async def test_a_flood_leaves_a_few_lines_and_their_number() -> None:
    lines = Lines()
    bounded = BoundedLog(lines, "refused", most=3, window_s=0.2, status=401)
    for number in range(1000):
        bounded.warning(number=number)
    assert lines.all == [{"event": "refused", "status": 401, "number": number} for number in range(3)]
    async with asyncio.timeout(5):
        await lines.more.wait()  # by itself: a flood that is over is told, too
    assert lines.all[3:] == [{"event": "refused: lines left out", "status": 401, "count": 997}]
    bounded.warning(number="after")
    assert lines.all[4:] == [{"event": "refused", "status": 401, "number": "after"}]


async def test_each_window_has_lines_of_its_own() -> None:
    lines = Lines()
    bounded = BoundedLog(lines, "refused", most=1, window_s=0.0)
    for _ in range(3):
        bounded.warning()
    assert len(lines.all) == 3


async def test_a_long_field_is_cut() -> None:
    lines = Lines()
    BoundedLog(lines, "refused").warning(reason="x" * 1_000_000, count=5)
    assert lines.all == [{"event": "refused", "reason": "x" * LONGEST_FIELD, "count": 5}]
