"""How far one streamed chat travels through our code: a bound, so that the path stays short and readable."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fake_backend import FakeBackend, scripts
from tests.support import environment, factories
from tests.support.raw_http import Client
from tests.support.served import ServedInThread

PACKAGES = ("core", "backends", "accounts", "usage", "gateway", "ollama_api", "proxy_site")
MOST_FILES = 65
MOST_CHANGES = 250


class Trip:
    """The files and functions of ours that are entered in one thread, in order."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.functions: set[str] = set()
        self._roots = tuple(str(Path(environment.ROOT) / name) for name in PACKAGES)

    def note(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self._roots):
            self.files.append(code.co_filename)
            self.functions.add(f"{code.co_filename}:{code.co_qualname}")

    @property
    def changes(self) -> int:
        return sum(one != other for one, other in zip(self.files, self.files[1:], strict=False))


def profile_in_loop(served: ServedInThread, profile: Callable[..., None] | None) -> None:
    """Set or take away the profile function of the server's thread, and wait until that is done."""
    done = threading.Event()

    def set_profile() -> None:
        sys.setprofile(profile)
        done.set()

    served.call_soon(set_profile)
    assert done.wait(5)


def test_a_warm_streamed_chat_of_five_tokens(
    client: Client, _served: ServedInThread, fake: FakeBackend
) -> None:
    factories.route(fake)
    # In one write: how many chunks come in one read would be chance, and with it the count.
    fake.script("*", scripts.odd_chunking(1_000_000))
    for _ in range(3):
        assert client.chat().lines[-1]["eval_count"] == 5
    # The least of several: a head that is read apart from its body, or a timer, is no part of the way.
    trip = min((count_trip(client, _served) for _ in range(20)), key=lambda one: one.changes)
    told = f"{len(set(trip.files))} files, {len(trip.functions)} functions, {trip.changes} changes of file"
    assert len(set(trip.files)) <= MOST_FILES, told
    assert trip.changes <= MOST_CHANGES, told


def count_trip(client: Client, served: ServedInThread) -> Trip:
    """Follow one chat."""
    trip = Trip()
    profile_in_loop(served, trip.note)
    try:
        client.chat()
        served.wait_idle()
    finally:
        profile_in_loop(served, None)
    return trip
