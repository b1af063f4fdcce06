"""What was learnt from refusals, for operators: shown for a mapping's targets, and forgotten if they wish."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from backends.routing.snapshot import Target
from core import ttl_store
from gateway import learned_fields


def list_notes(targets: Iterable[Target]) -> list[tuple[str, str]]:
    """Tell for each target how its model is asked since it refused something: (target, what)."""
    found = ((target, learned_fields.find(target)) for target in targets)
    return [
        (f"{target.model} on {target.upstream.name}", lesson.describe())
        for target, lesson in found
        if lesson is not None
    ]


def load() -> None:
    """Take over what other processes learnt. Blocks."""
    asyncio.run(_load())


def forget(targets: Iterable[Target]) -> None:
    """Forget what was learnt of these targets, in every process. Blocks."""
    asyncio.run(_forget(list(targets)))
    learned_fields.tell_all()


async def _load() -> None:
    try:
        await learned_fields.load()
    finally:
        await ttl_store.close()  # the client belongs to this loop, which ends here


async def _forget(targets: list[Target]) -> None:
    try:
        for target in targets:
            await learned_fields.forget(target)
    finally:
        await ttl_store.close()
