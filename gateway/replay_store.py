"""What backends want back with the results of their tool calls, for the life of a tool turn.

In memory, or in Redis when there are several processes; never in the database. Each caller has its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import structlog

from accounts.directory import Caller
from core.ttl_store import Space
from gateway.translate.reasoning_replay import ReplayData

log = structlog.get_logger("llamagate.turns")

LIFE_S = 3600.0
LARGEST = 64 * 1024
"""Bytes of one call's; what is larger is not kept, and said so."""
MOST = 2000
MOST_BYTES = 32 * 1024 * 1024

_space = Space("turn", MOST, MOST_BYTES)
_decoder = msgspec.json.Decoder(ReplayData)


async def recall(caller: Caller, alias: str, keys: Iterable[str]) -> dict[str, ReplayData]:
    """Give what is still there of these calls."""
    wanted = {_scope_key(caller, alias, key): key for key in keys}
    found = await _space.get(wanted)
    return {wanted[scoped]: _read(value) for scoped, value in found.items()}


def keep(caller: Caller, alias: str, data: dict[str, ReplayData]) -> None:
    """Keep what came with an answer's calls, which share what came with their turn."""
    turns = {id(value["turn"]): value["turn"] for value in data.values()}
    written = {key: msgspec.Raw(msgspec.json.encode(turn)) for key, turn in turns.items()}
    largest = 0
    for key, value in data.items():
        turn = written[id(value["turn"])]
        size = len(memoryview(turn))
        if size <= LARGEST:
            encoded = msgspec.json.encode({**value, "turn": turn})
            size = len(encoded)
        if size <= LARGEST:
            _space.put_soon(_scope_key(caller, alias, key), encoded, LIFE_S)
        largest = max(largest, size)
    if largest > LARGEST:
        log.warning("too large to be kept for the tool's result", alias=alias, bytes=largest)


def _read(value: bytes) -> ReplayData:
    """Read a value; what another release wrote may look otherwise, and counts as gone."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return {}


def _scope_key(caller: Caller, alias: str, key: str) -> str:
    """Name a call of a caller. Ids come from backends and clients, and are as long as they like."""
    whose = f"{caller.team}\0{caller.label}\0{alias}".encode()
    short = key if len(key) <= 64 else hashlib.blake2s(key.encode(), digest_size=32).hexdigest()
    return f"{hashlib.blake2s(whose, digest_size=8).hexdigest()}.{short}"


def forget() -> None:
    """Forget everything, between tests."""
    _space.forget()
