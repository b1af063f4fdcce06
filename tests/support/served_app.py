"""An ASGI application of a test's own, behind the product's connections: what they do whatever it does."""

import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self

from proxy_site.server import DrainingServer, listen, uvicorn_config

from .waiting import eventually

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class ServedApp:
    """A server in a thread of the test process."""

    def __init__(self, app: App) -> None:
        listener = listen("127.0.0.1", 0)
        self.port: int = listener.getsockname()[1]
        config = uvicorn_config()
        config.app, config.lifespan = app, "off"
        self._server = DrainingServer(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="served app", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: self._server.started, 15, "the server's start")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        if self._thread.is_alive():
            raise TimeoutError("the server did not stop")

    @property
    def connections(self) -> int:
        """How many count as open."""
        return len(self._server.server_state.limits)

    @property
    def requests_under_way(self) -> int:
        return len(self._server.server_state.tasks)
