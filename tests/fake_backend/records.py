"""What the fake saw: requests, and how the answer to each of them went."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from .wire import RawRequest

Json = dict[str, Any]
StreamState = Literal["open", "finished", "cut", "aborted"]


@dataclass(frozen=True)
class Request:
    """One request; times are `time.monotonic()` seconds."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lower case; of a repeated header the last value."""
    header_list: list[tuple[str, str]]
    """All headers in the order they came, repeated ones too."""
    raw: bytes
    body: Any
    """The decoded JSON, or the raw bytes where they are not JSON."""
    time: float
    connection: int
    """Serial number of the connection, from 1."""
    nth: int
    """Which request of its connection this is, from 1: above 1 the client reused the connection."""

    @classmethod
    def of(cls, raw: RawRequest, time: float, connection: int, nth: int) -> "Request":
        """Build the record of one parsed request."""
        path, _, query = raw.target.partition("?")
        headers, body = dict(raw.headers), _decoded(raw.body)
        return cls(raw.method, path, query, headers, raw.headers, raw.body, body, time, connection, nth)

    @property
    def json(self) -> Json:
        """The body as a JSON object; empty if it is none."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def model(self) -> str:
        return str(self.json.get("model") or "")

    @property
    def endpoint(self) -> str:
        """The path without `/v1`: both base URLs are served."""
        return self.path.removeprefix("/v1")

    @property
    def streaming(self) -> bool:
        return self.json.get("stream") is True

    @property
    def include_usage(self) -> bool:
        options = self.json.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except ValueError:  # DecodeError is one, UnicodeDecodeError another
        return body


def _ignore() -> None:
    return None


@dataclass(eq=False)
class Stream:
    """How the answer to one request went; whole (non-streaming) answers have one too.

    `finished`: everything was handed to the kernel. `cut`: the script itself closed or reset the
    connection. `aborted`: the peer left before the end.
    """

    request: Request
    started: float
    state: StreamState = "open"
    ended: float | None = None
    head_sent: bool = False
    blocked: bool = False
    """True while a write waits for a peer that does not read."""
    waiting: str | None = None
    """Name of the event that the script waits for."""
    bytes_written: int = 0
    """Body bytes the kernel took, without the head and the chunk framing."""
    chunks_written: int = 0
    """Body pieces written, SSE events as a rule."""
    changed: Callable[[], None] = field(default=_ignore, repr=False)

    @property
    def aborted_at(self) -> float | None:
        """When the peer was seen to have left."""
        return self.ended if self.state == "aborted" else None

    def set(self, **values: Any) -> None:
        """Change fields and wake those who wait for such a change."""
        for name, value in values.items():
            setattr(self, name, value)
        self.changed()

    def wrote(self, size: int, chunks: int) -> None:
        self.bytes_written += size
        self.chunks_written += chunks
        self.changed()
