"""Two HTTP doors by path, one WebSocket door, and lifespan, all behind the guard."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_site.settings")

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

operators: Any = get_asgi_application()  # sets Django up: before anything that needs its apps

from ollama_api.handler import ClientHandler
from proxy_site import lifespan
from proxy_site.doors import is_for_operators
from proxy_site.guard import Guard, Rules
from proxy_site.lifespan import Lifespan, NotReady
from proxy_site.refusals import Refused, refuse, with_nosniff

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

clients = ClientHandler()


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    """Open the right door. The snapshots are loaded before the first request passes."""
    if not lifespan.has_loaded:
        try:
            await lifespan.start_once()
        except NotReady as error:
            await refuse(Refused(503, str(error)), scope["path"], send)
            return
    if is_for_operators(scope["path"]):
        await operators(scope, receive, with_nosniff(send))
    else:
        await clients(scope, receive, send)


async def no_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse politely: the live page has its place here."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


application = ProtocolTypeRouter(
    {
        "http": Guard(http, Rules.of(settings.PROXY), is_for_operators),
        "websocket": no_websocket,
        "lifespan": Lifespan(),
    }
)
