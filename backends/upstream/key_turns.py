"""Which of a backend's API keys goes with a call: each in turn, and the next at once where one is refused."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from backends.errors import UpstreamRejected
from backends.routing.snapshot import Upstream

log = structlog.get_logger("llamagate.upstream")

REFUSES_A_KEY = frozenset({401, 402, 403, 429})
"""What a backend says of one key, or of what is left of its quota, and may not say of another."""
REST_S = 60.0
"""For so long a key that was refused comes after the others, unless the backend says how long to wait."""

MOST_RESTING = 1000

ResultT = TypeVar("ResultT")
_turn = itertools.count()
_resting: dict[tuple[int, str], float] = {}
"""Backend and key -> until when the key comes after the others, on the monotonic clock."""


class Sends(Protocol):
    """Takes note of each time that a call goes out; see `backends.upstream.client.CallProgress`."""

    def refuse(self, status: int) -> None:
        """Note that the key was refused with a status."""

    def send_again(self) -> None:
        """Note that the call goes out with another key."""


async def try_keys(upstream: Upstream, send: Callable[[str], Awaitable[ResultT]], progress: Sends) -> ResultT:
    """Send with the key whose turn it is, and with each of the others while the backend refuses the key.

    The backend has keys. Raises what `send` raises: of several refusals of keys, the one that tells most.
    """
    reported: UpstreamRejected | None = None
    for secret in list_secrets(upstream):
        if reported is not None:
            progress.send_again()
        try:
            return await send(secret)
        except UpstreamRejected as refused:
            if refused.status not in REFUSES_A_KEY:
                raise
            _let_rest(upstream, secret, refused)
            progress.refuse(refused.status)
            reported = _choose_telling(reported, refused)
    try:
        raise reported  # type: ignore[misc]  # there are keys, and each was refused
    finally:
        del reported  # an exception that its own frame holds is a cycle


def list_secrets(upstream: Upstream) -> list[str]:
    """List the keys in the order in which they are tried: by turns, and last those that were refused."""
    secrets = upstream.secrets
    first = next(_turn) % len(secrets)
    in_turn = [*secrets[first:], *secrets[:first]]
    if _resting:
        now = time.monotonic()
        in_turn.sort(key=lambda secret: max(0.0, _resting.get((upstream.id, secret), 0.0) - now))
    return in_turn


def _let_rest(upstream: Upstream, secret: str, refused: UpstreamRejected) -> None:
    """Note that a key comes last for a while, and tell the operator when that begins."""
    now, wait_s = time.monotonic(), refused.retry_after_s
    for over in [known for known, until in _resting.items() if until <= now]:
        del _resting[over]
    if (upstream.id, secret) not in _resting:
        place = f"{upstream.secrets.index(secret) + 1} of {len(upstream.secrets)}"
        log.warning("key refused", backend=upstream.name, key=place, status=refused.status)
        if len(_resting) >= MOST_RESTING:
            return
    _resting[upstream.id, secret] = now + (REST_S if wait_s is None else wait_s)


def forget() -> None:
    """Forget which keys were refused, between tests."""
    _resting.clear()


def _choose_telling(before: UpstreamRejected | None, refused: UpstreamRejected) -> UpstreamRejected:
    """Choose between two refusals: a limit, which ends by itself, helps most; a short one more."""
    if before is None or before.status != 429:
        return refused
    if refused.status != 429 or (refused.retry_after_s or 0) >= (before.retry_after_s or 0):
        return before
    return refused
