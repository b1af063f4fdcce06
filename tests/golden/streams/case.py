"""What a nasty stream is: bytes in reads, and what has to come of them."""

from typing import Any

import msgspec

from backends.wire.reading import USUAL, Reading


class Case(msgspec.Struct, frozen=True):
    """A backend's answer and its outcome. An `error` with a status comes first, one without it later."""

    name: str
    why: str
    reads: tuple[bytes, ...]
    content: str = ""
    thinking: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    done_reason: str = "stop"
    counts: tuple[int, int] | None = None
    error: str = ""
    status: int = 200
    content_type: str = "text/event-stream"
    http_status: int = 200
    reading: Reading = USUAL
    passes: bool = True
    """Whether the text stands in `content` as it comes, so that clients of the OpenAI API read it there."""
