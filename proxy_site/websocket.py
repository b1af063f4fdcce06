"""Uvicorn's WebSocket, counted among the connections of the process."""

from __future__ import annotations

from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from proxy_site.connection_limits import LimitedServerState


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """A connection that asked to go on as a WebSocket, with no request under way. Pings are its deadline."""

    def __init__(self, config: Config, server_state: LimitedServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._limits = server_state.limits

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self._limits.release(self)
        super().connection_lost(exc)

    def evict(self) -> None:
        """Close at once."""
        self.transport.abort()
