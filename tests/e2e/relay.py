"""A cable between two peers that can be pulled: a TCP relay on a port of its own."""

import contextlib
import socket
import threading
from typing import Self

CHUNK = 65536


class Relay:
    """Passes bytes on to an address, while it is up. The port stays the same."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = _listening(0)
        self.port: int = self._listener.getsockname()[1]
        self._accept_in_background()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pull()

    def pull(self) -> None:
        """Refuse new connections, and break those that are open."""
        _end(self._listener)
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _end(connection)

    def plug_in(self) -> None:
        """Pass on again."""
        self._listener = _listening(self.port)
        self._accept_in_background()

    def _accept_in_background(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), name="relay", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:  # pulled
                return
            far = socket.create_connection(self._target)
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), name="relay", daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the other direction ended, or it is pulled
            while data := source.recv(CHUNK):
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _end(source)
        _end(sink)


def _listening(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def _end(connection: socket.socket) -> None:
    """Close it, and wake up who waits on it in another thread."""
    with contextlib.suppress(OSError):  # was never connected, or is closed already
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
