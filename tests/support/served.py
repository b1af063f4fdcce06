"""The product served by its own Uvicorn, in a thread of the test process: fast, and on real sockets."""

import threading
import time
from collections.abc import Callable
from typing import Self

from django.core.cache import cache

from accounts.directory import access
from backends.discovery import catalog
from backends.health import board as health_board
from backends.routing.registry import routing
from backends.upstream import key_turns
from core.revisions import ConfigRevision
from gateway import learned_fields, loaded_models
from proxy_site.server import DrainingServer, listen, uvicorn_config

from .raw_http import Client
from .waiting import eventually


class ServedInThread:
    """A server with an event loop of its own. What it shares with the tests is memory and the database."""

    def __init__(self) -> None:
        listener = listen("127.0.0.1", 0)
        self.port: int = listener.getsockname()[1]
        self.client = Client(self.port)
        self._server = DrainingServer(uvicorn_config())
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="served", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: self._server.started or not self._thread.is_alive(), 15, "the server's start")
        if not self._server.started:
            raise RuntimeError("the server did not start; its thread's exception tells why")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        if self._thread.is_alive():
            raise TimeoutError("the server did not stop")

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call something in the event loop's thread."""
        self._server.servers[0].get_loop().call_soon_threadsafe(call)

    @property
    def requests_under_way(self) -> int:
        return len(self._server.server_state.tasks)

    def wait_idle(self, timeout: float = 3.0) -> None:
        """Wait until no request is left: one that stays behind is a leak."""
        eventually(lambda: not self.requests_under_way, timeout, "the end of all requests")


def begin_anew() -> None:
    """Bring this process up to date with a database that was emptied behind its back."""
    for followed in (routing, access, learned_fields.learnt):
        # A number that any process under test has seen before would be taken for no change.
        ConfigRevision.objects.update_or_create(
            name=followed.name, defaults={"number": time.time_ns() // 1_000_000}
        )
        followed.reload()
    catalog.forget()
    loaded_models.forget()
    health_board.forget()
    key_turns.forget()
    cache.clear()
