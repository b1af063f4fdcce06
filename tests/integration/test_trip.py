"""How far one streamed chat travels through our code: a bound, so that the path stays short and readable."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fake_backend import FakeBackend
from tests.support import environment, factories
from tests.support.raw_http import Client
from tests.support.served import ServedInThread

PACKAGES = ("core", "backends", "accounts", "usage", "gateway", "ollama_api", "proxy_site")
MOST_FILES = 66
MOST_CHANGES = 270


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
    for _ in range(3):
        assert client.chat().lines[-1]["eval_count"] == 5
    trip = Trip()
    profile_in_loop(_served, trip.note)
    try:
        client.chat()
        _served.wait_idle()
    finally:
        profile_in_loop(_served, None)
    files = sorted(set(trip.files))
    told = f"{len(files)} files, {len(trip.functions)} functions, {trip.changes} changes of file"
    assert len(files) <= MOST_FILES, told
    assert trip.changes <= MOST_CHANGES, told
