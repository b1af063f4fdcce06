"""One client connection: a state machine on the HTTP parser, with a deadline in every state.

Uvicorn's own protocol takes in a request while another is answered, stops reading then (so that it does not
see its client leave), and has states without any deadline. Here a connection has one request at a time, and
what its client sends ahead is kept unread, up to a bound:

    HEAD --> BODY --> ANSWERING --> IDLE --> HEAD ...
             answered, and yet unread --> LINGERING --> closed

=========  ===============================================  ==================================================
State      Waits for                                        Ends by
=========  ===============================================  ==================================================
IDLE       the first byte of a further request              the keep-alive time
HEAD       the rest of a head                               the head's time, with 408
BODY       the rest of a body, while the application runs   the body's time; the guard's 408 comes before
ANSWERING  the application, which has limits of its own     a client that leaves, or does not read for long
LINGERING  the client to read the last answer and close     `LINGER_S`
CLOSING    the rest of the answer to be sent                a client that does not read for long
=========  ===============================================  ==================================================
"""

from __future__ import annotations

import asyncio
import contextvars
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from uvicorn.config import Config

from proxy_site.connection_limits import LimitedServerState
from proxy_site.cycle import RequestCycle
from proxy_site.deadline import Deadline
from proxy_site.path_keys import mask_target
from proxy_site.request_reader import RequestHead, RequestReader, UnreadableRequest
from proxy_site.request_scope import Address, make_scope, refusal
from proxy_site.sending import SendingSide

MAX_UNREAD_BODY_BYTES = 64 * 1024
"""Of a body that the application has not taken yet: beyond that, reading pauses."""
MAX_PIPELINED_BYTES = 64 * 1024
"""Of requests sent ahead: beyond that, the connection ends."""
BODY_GRACE_S = 5.0
"""The guard's deadline for a body comes first, since it can answer; this one is for what nobody reads."""
LINGER_S = 5.0
MAX_LINGER_BYTES = 8 * 1024 * 1024
"""Of what a client still sends after its last answer: read and dropped. Beyond that, it has to wait."""


class State(Enum):
    """Where a connection stands. The table above says what ends each."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWERING = auto()
    LINGERING = auto()
    CLOSING = auto()
    HANDED_OVER = auto()


class LimitedProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: LimitedServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._config = config
        self._server_state = server_state
        self._limits = server_state.limits
        self._app_state = app_state
        self._proxy = settings.PROXY  # once per connection: to look it up is not cheap
        self._loop = _loop or asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._on_deadline)
        self._cycle: RequestCycle | None = None
        self._state = State.HEAD
        self._pipelined = bytearray()
        self._websocket_head: RequestHead | None = None
        self._is_reading = True
        self._linger_bytes = 0

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head, if there is room for one more connection."""
        self.transport = cast(asyncio.Transport, transport)
        self._sending = SendingSide(self._loop, self.transport, self._abort)
        self._server = _address(transport, "sockname")
        self._client = _address(transport, "peername")
        self._server_state.connections.add(self)  # type: ignore[arg-type]  # it knows its own protocols only
        self._reader = RequestReader(self, self._proxy.max_header_bytes)
        if self._limits.admit(self, self._client[0] if self._client else ""):
            self._deadline.set(self._proxy.head_timeout_s)
        else:
            self.write(refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections: try again later"))
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whatever is running, and hold on to nothing."""
        self._deadline.cancel()
        self._sending.end()
        self._limits.release(self)
        self._server_state.connections.discard(self)
        self._state = State.CLOSING
        del self._reader  # and with it the parser, which holds this
        self._pipelined.clear()
        self._leave_cycle()

    def eof_received(self) -> None:
        """Let go of a client that hung up in mid-answer: to close would be to wait until it has read all."""
        if self._cycle is not None:
            self._abort()
        else:
            self._close()

    def data_received(self, data: bytes) -> None:
        """Read on, or keep or drop what nobody waits for."""
        if self._state is State.ANSWERING:
            self._keep_for_later(data)
        elif self._state is State.LINGERING:
            self._drop(len(data))
        elif self._state is not State.CLOSING:
            self._read(data)

    def pause_writing(self) -> None:
        """The client does not read: wait, but not for ever."""
        self._sending.block()

    def resume_writing(self) -> None:
        """It reads again."""
        self._sending.unblock(keep_watching=self._state in (State.LINGERING, State.CLOSING))

    # Reading

    def _read(self, data: bytes) -> None:
        before = self._state
        try:
            rest = self._reader.read(data)
        except UnreadableRequest as refused:
            self._refuse(refused.status, refused.message)
            return
        if self._websocket_head is not None:
            self._hand_over(self._websocket_head, rest)
        elif self._state is not before:
            self._set_deadline_of_request()
        elif self._state is State.IDLE and self._reader.has_begun:
            self._state = State.HEAD
            self._deadline.set(self._proxy.head_timeout_s)
        if rest and self._state is State.ANSWERING:
            self._keep_for_later(rest)

    def _set_deadline_of_request(self) -> None:
        if self._state is State.BODY:
            self._deadline.set(self._proxy.body_timeout_s + BODY_GRACE_S)
        else:
            self._deadline.lift()

    def on_head(self, head: RequestHead) -> None:
        """Start on a request."""
        scope = make_scope(head, self._config.asgi_version, self._client, self._server, self._app_state)
        self._limits.note_busy(self)
        self._state = State.BODY
        self._cycle = RequestCycle(
            self,
            self._sending,
            scope,
            keeps_alive=head.keeps_alive,
            expects_continue=head.expects_continue,
        )
        task = self._loop.create_task(self._cycle.run(self._config.loaded_app))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body until the application takes it."""
        cycle = self._cycle
        if cycle is None:
            return
        cycle.add_body(piece)
        if cycle.unread_bytes > MAX_UNREAD_BODY_BYTES:
            self._pause_reading()

    def on_end(self) -> None:
        """The request is whole: from now on its client is only watched."""
        self._state = State.ANSWERING
        if self._cycle is not None:
            self._cycle.end_body()
        self.resume_reading()

    def on_websocket(self, head: RequestHead) -> None:
        """Hand over as soon as the reader is done. No request is under way."""
        self._websocket_head = head

    def _keep_for_later(self, data: bytes) -> None:
        """Keep what a client sends ahead. More than that is no pipelining."""
        if len(self._pipelined) + len(data) > MAX_PIPELINED_BYTES:
            self._abort()
        else:
            self._pipelined += data

    def _drop(self, size: int) -> None:
        self._linger_bytes += size
        if self._linger_bytes > MAX_LINGER_BYTES:
            self._pause_reading()

    def _hand_over(self, head: RequestHead, rest: bytes) -> None:
        """Let a WebSocket have the connection, from the head of its request on."""
        self._state = State.HANDED_OVER
        self._deadline.cancel()
        self._sending.end()
        self._server_state.connections.discard(self)
        websocket: Any = cast(Any, self._config.ws_protocol_class)(
            config=self._config, server_state=self._server_state, app_state=self._app_state
        )
        self._limits.hand_over(self, websocket)
        del self._reader  # and with it the parser, which holds this
        websocket.connection_made(self.transport)
        self.transport.set_protocol(websocket)
        head.target = mask_target(head.target)
        websocket.data_received(head.as_bytes() + rest)

    def _pause_reading(self) -> None:
        if self._is_reading and not self.transport.is_closing():
            self._is_reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, if reading was paused."""
        if not self._is_reading and not self.transport.is_closing():
            self._is_reading = True
            self.transport.resume_reading()

    # Answering

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer says: the date."""
        return self._server_state.default_headers

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def answer_is_complete(self, cycle: RequestCycle) -> None:
        """Go on with what the client sent meanwhile, wait for more, or end."""
        self._cycle = None
        if self.transport.is_closing():
            return
        if cycle.keeps_alive:
            self._await_request()
        elif self._state is State.BODY or self._pipelined:
            self._linger()
        else:
            self._close()

    def break_off(self) -> None:
        """End the connection: an answer will never be complete, and must not look so."""
        self._cycle = None
        self._close()

    def _await_request(self) -> None:
        self._state = State.IDLE
        self._limits.note_waiting(self)
        self._deadline.set(self._proxy.keep_alive_s)
        if self._pipelined:
            data = bytes(self._pipelined)
            self._pipelined.clear()
            # In a context of its own: this one is the last request's, with its id for the log.
            contextvars.Context().run(self._read, data)

    def _leave_cycle(self) -> None:
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            cycle.leave()

    # Ends

    def shutdown(self) -> None:
        """End, or be ready to end after the answer under way: the server stops."""
        if self._cycle is not None:
            self._cycle.keeps_alive = False
        elif self._state is not State.LINGERING:
            self._close()

    def evict(self) -> None:
        """Close at once, to make room: no request is under way."""
        self._abort()

    def _abort(self) -> None:
        """End at once, whatever is unsent or running."""
        self._state = State.CLOSING
        self._leave_cycle()
        self.transport.abort()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer what is no request. An answer that has begun cannot be taken back, only cut off."""
        if self._cycle is not None and self._cycle.is_started:
            self._abort()
            return
        self._leave_cycle()
        self.write(refusal(status, message))
        self._linger()

    def _linger(self) -> None:
        """Half-close, and read on for a while: to close at once would reset the connection.

        A client that is still sending would lose the answer to that (RFC 9112, 9.6).
        """
        if self.transport.is_closing():
            return
        self._state = State.LINGERING
        self._limits.note_waiting(self)
        self._pipelined.clear()
        self._deadline.set(LINGER_S)
        self.resume_reading()
        self.transport.write_eof()
        self._sending.watch()

    def _close(self) -> None:
        """Close when all is sent."""
        self._state = State.CLOSING
        self._deadline.lift()
        self._sending.watch()
        self.transport.close()

    def _on_deadline(self) -> None:
        if self._state is State.HEAD:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request's head did not arrive in time")
        elif self._state is State.IDLE:
            self._close()
        elif self._state is State.LINGERING and self._sending.has_unsent:
            self._deadline.set(LINGER_S)  # it still reads, or else it is given up
        else:
            self._abort()


def _address(transport: asyncio.BaseTransport, name: str) -> Address | None:
    """Give host and port of an end of the connection; None if it is no internet socket."""
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
