"""What backends taught by refusing a field: kept for a day, by backend, model and profile, and shared.

A request looks in this process's memory only. What other processes learnt comes through Redis within half a
minute; that it was forgotten, by the revision in the database, within a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import time

import msgspec
import structlog

from backends.routing.snapshot import Target, Upstream
from core import revisions, ttl_store
from core.model_names import matches
from core.snapshot_cache import RevisionedCache
from core.ttl_store import Space
from gateway.translate.learning import Lesson, merge_lessons

log = structlog.get_logger("llamagate.upstream")

LIFE_S = 86_400.0
MOST = 1000
"""Models of backends of which something is known; what ends first makes room."""
REFRESH_S = 30.0


class Learned(msgspec.Struct, frozen=True):
    """A lesson, and what it is bound to."""

    backend_id: int
    model: str
    profile: str
    """The revision of the backend's profile for this model: with another one all is open again."""
    lesson: Lesson
    until: float
    """Unix time."""


_space = Space("learnt", MOST)
_decoder = msgspec.json.Decoder(Learned)
known: dict[tuple[int, str], Learned] = {}
"""By backend and model. Requests look whether there is anything at all before they ask for a target."""
_revisions: dict[tuple[int, str], tuple[Upstream, str]] = {}
"""Revisions of profiles that were worked out, each for the snapshot's backend."""
_tasks: set[asyncio.Task[None]] = set()


def find(target: Target) -> Lesson | None:
    """Give what is known to differ for a target's model. Where nothing is `known`, nobody need ask."""
    found = known.get((target.upstream.id, target.model))
    if found is None or found.until <= time.time() or found.profile != _revise(target):
        return None
    return found.lesson


def list_models(target: Target) -> list[Target]:
    """List the models of a pattern's target of which something is known."""
    return [
        msgspec.structs.replace(target, model=model)
        for backend_id, model in list(known)
        if backend_id == target.upstream.id and matches(target.model, model)
    ]


def learn(target: Target, lesson: Lesson) -> None:
    """Keep what was learnt, and tell the other processes, and the operator."""
    before = find(target)
    whole = merge_lessons(before, lesson) if before else lesson
    found = Learned(target.upstream.id, target.model, _revise(target), whole, time.time() + LIFE_S)
    _keep(found)
    _space.put_soon(_key(found.backend_id, found.model), msgspec.json.encode(found), LIFE_S)
    log.warning(
        "learnt from a refusal", backend=target.upstream.name, model=target.model, fields=lesson.describe()
    )


async def load() -> None:
    """Take over what all processes learnt."""
    for value in (await _space.all()).values():
        found = _read(value)
        if found is not None:
            _keep(found)


async def forget(target: Target) -> None:
    """Forget what was learnt for a target's model, here and in Redis; `tell_all` has the others forget."""
    key = (target.upstream.id, target.model)
    known.pop(key, None)
    await _space.drop(_key(*key))


def tell_all() -> None:
    """Have every process forget what it learnt, but not what is in Redis. Blocks: it asks the database."""
    revisions.bump(revisions.LEARNT)


def _reload() -> tuple[int, None]:
    """Forget what this process knows, since somebody cleared something, and ask Redis anew."""
    number = revisions.number(revisions.LEARNT)
    forget_all()
    return number, None


learnt = RevisionedCache("learnt", _reload)
revisions.listen(revisions.LEARNT, learnt.reload)


def forget_all() -> None:
    """Forget everything in this process."""
    known.clear()
    _revisions.clear()
    _space.forget()


def _keep(found: Learned) -> None:
    key = (found.backend_id, found.model)
    if len(known) >= MOST and key not in known:
        del known[min(known, key=lambda one: known[one].until)]
    known[key] = found


def _revise(target: Target) -> str:
    """Give the revision of a target's profile: a digest of all that it says, and of the address."""
    key = (target.upstream.id, target.model)
    known = _revisions.get(key)
    if known is not None and known[0] is target.upstream:
        return known[1]
    if len(_revisions) >= MOST:
        _revisions.clear()
    identity = msgspec.json.encode([target.upstream.base_url, target.dialect], order="deterministic")
    digest = hashlib.blake2s(identity, digest_size=8).hexdigest()
    _revisions[key] = target.upstream, digest
    return digest


def _key(backend_id: int, model: str) -> str:
    return f"{backend_id}.{hashlib.blake2s(model.encode(), digest_size=16).hexdigest()}"


def _read(value: bytes) -> Learned | None:
    """Read a value; what another release wrote may look otherwise, and says nothing."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return None


def follow() -> None:
    """Look every half a minute what other processes learnt, if there is a Redis, until `stop`."""
    loop = asyncio.get_running_loop()
    if ttl_store.is_shared() and not any(task.get_loop() is loop for task in _tasks):
        task = loop.create_task(_follow())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


def stop() -> None:
    """Look no more in this event loop."""
    loop = asyncio.get_running_loop()
    for task in list(_tasks):
        if task.get_loop() is loop:
            task.cancel()


async def _follow() -> None:
    while True:
        await load()
        await asyncio.sleep(REFRESH_S)
