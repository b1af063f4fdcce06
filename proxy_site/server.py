"""Uvicorn with our limits and our drain: what `manage.py serve` runs, once per worker.

On SIGTERM the listening socket closes at once, open streams may finish until the drain deadline, and what is
left is cancelled inside the event loop, so that every stream ends with its error line and every upstream
connection is closed. A second Ctrl-C ends at once.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from typing import Any

import structlog
import uvicorn
from django.conf import settings

from proxy_site.connection_limits import LimitedServerState

log = structlog.get_logger("llamagate.server")

LAST_WORDS_S = 2.0
GC_THRESHOLDS = (10_000, 20, 50)
"""Answers make no reference cycles (a test holds that), so there is little to look for."""


class DrainingServer(uvicorn.Server):
    """Drains instead of dropping, and bounds its connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state: LimitedServerState = LimitedServerState()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let streams finish, cut the rest with a last line."""
        log.info(
            "draining", connections=len(self.server_state.connections), limit_s=settings.PROXY.drain_timeout_s
        )
        deadline = asyncio.create_task(self._cut_at_deadline())
        try:
            await super().shutdown(sockets)
        finally:
            deadline.cancel()

    async def _cut_at_deadline(self) -> None:
        await asyncio.sleep(settings.PROXY.drain_timeout_s)
        log.warning("drain deadline: cutting what is open", requests=len(self.server_state.tasks))
        for task in list(self.server_state.tasks):
            task.cancel("server is restarting")
        await asyncio.sleep(LAST_WORDS_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class WorkerServer(DrainingServer):
    """A server with a process of its own."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, unless told to stop meanwhile, and tell the garbage collector that what is loaded stays."""
        if self.should_exit:
            return
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)


def uvicorn_config(**overrides: Any) -> uvicorn.Config:
    """Describe the server: uvloop, httptools, our protocol, no access log (the ledger writes one)."""
    return uvicorn.Config(
        "proxy_site.asgi:application",
        host=settings.PROXY.host,
        port=settings.PROXY.port,
        loop="uvloop",
        http="proxy_site.protocol:LimitedProtocol",
        ws="proxy_site.websocket:LimitedWebSocket",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        **overrides,
    )


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen. Raises `OSError`: the address is taken, or not ours."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def run_worker(listener: socket.socket) -> None:
    """Serve on a listening socket until a signal says to stop."""
    server = WorkerServer(uvicorn_config())

    def stop(*_: object) -> None:
        server.should_exit = True

    # Uvicorn listens once its loop runs, and raises the signal once more when it is done, which the default
    # handler would make a failure. No moment may ignore one: whoever sent it waits until the drain is over.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.run(sockets=[listener])
