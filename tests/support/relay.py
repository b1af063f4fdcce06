"""A cable between two peers that can be pulled, or go dead: a TCP relay on a port of its own."""

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlsplit

CHUNK = 65536


def through(url: str, port: int) -> str:
    """Give the URL of the same server by way of a port of this machine."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()


def address(url: str) -> tuple[str, int]:
    """Give the host and the port of a PostgreSQL database."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 5432


class Relay:
    """Passes bytes on to an address, while it is up. The port stays the same."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._passing = threading.Event()
        self._passing.set()
        self._listener = _listening(0)
        self.port: int = self._listener.getsockname()[1]
        self._accept_in_background()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pull()

    def mute(self) -> None:
        """Accept connections and keep those that are open, acknowledge what comes, and pass on nothing."""
        self._passing.clear()

    def unmute(self) -> None:
        """Pass on again, and first what was held back."""
        self._passing.set()

    def pull(self) -> None:
        """Refuse new connections, and break those that are open."""
        _end(self._listener)
        self._passing.set()
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
                self._passing.wait()
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
