"""Which models are in use and until when, for /api/ps: nothing is loaded here, so use is what counts.

A model leaves when its `keep_alive` is over, as it does in Ollama. What this process saw is noted at once;
the others hear of it through Redis a moment later, in one write however many requests there were.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from core import ttl_store
from core.model_names import LONGEST_ASKED, trim

DEFAULT_S = 300.0
FOR_EVER_S = 292 * 365.25 * 86_400
"""What Ollama shows for an infinite keep-alive: about 292 years ahead."""
LONGEST_TTL_S = 400 * 86_400.0
"""How long Redis keeps what is in use for ever and is not used."""
MOST = 1000
TELL_AFTER_S = 0.25


class Use(msgspec.Struct, frozen=True):
    """Until when (Unix time), for how long after each use (seconds), and how the name was last spelled."""

    until: float
    window_s: float
    spelled: str = ""


_shared = ttl_store.Space("use", MOST)
_decoder = msgspec.json.Decoder(Use)
_seen: dict[str, Use] = {}
_untold: set[str] = set()
_tasks: set[asyncio.Task[Any]] = set()


def use(name: str, keep_alive_s: float | None, spelled: str = "") -> None:
    """Note that `name` (canonical) was used. None keeps the window that it had; 0 ends it.

    `spelled`: the name as it was asked for, which is shown where no list tells how it is spelled.
    """
    before = _seen.get(name)
    window_s = keep_alive_s
    if window_s is None:
        window_s = before.window_s if before else DEFAULT_S
    if window_s <= 0:
        end(name)
        return
    if len(_seen) >= MOST and before is None:
        end(min(_seen, key=lambda other: _seen[other].until))
    spelling = spelled if len(spelled) <= LONGEST_ASKED else ""
    _seen[name] = Use(time.time() + min(window_s, FOR_EVER_S), window_s, spelling)
    _tell(name)


def end(name: str) -> None:
    """Note that `name` was unloaded."""
    _seen.pop(name, None)
    _tell(name)


async def in_use() -> list[tuple[str, float]]:
    """List (name as it was spelled, Unix time of its end), the longest-lived first."""
    now = time.time()
    for name in [name for name, seen in _seen.items() if seen.until <= now]:
        del _seen[name]
    found = _seen
    if ttl_store.is_shared():
        await publish_changes()
        found = {name: seen for name, value in (await _shared.all()).items() if (seen := _read(value))}
    return sorted(
        ((trim(seen.spelled) or name, seen.until) for name, seen in found.items()), key=lambda pair: -pair[1]
    )


def _read(value: bytes) -> Use | None:
    """Read a value; what another release wrote may look otherwise, and says nothing."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return None


async def publish_changes() -> None:
    """Tell the others now what they have not heard of yet."""
    names = list(_untold)
    _untold.clear()
    for name in names:
        seen = _seen.get(name)
        if seen is None:
            await _shared.drop(name)
        else:
            ttl_s = min(max(seen.until - time.time(), 0.001), LONGEST_TTL_S)
            await _shared.put(name, msgspec.json.encode(seen), ttl_s)


def forget() -> None:
    """Forget everything, between tests."""
    _seen.clear()
    _untold.clear()
    _shared.forget()


def _tell(name: str) -> None:
    """See to it that the others hear of it, soon."""
    if not ttl_store.is_shared():
        return
    if len(_untold) >= MOST:
        return  # more than anybody shows: the others learn of it with the next use
    _untold.add(name)
    loop = asyncio.get_running_loop()
    if not any(task.get_loop() is loop for task in _tasks):
        task = loop.create_task(_tell_soon())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


async def _tell_soon() -> None:
    while _untold:
        await asyncio.sleep(TELL_AFTER_S)
        await publish_changes()
