"""What an operation of a client's API is to the pipeline: a row of pure functions. It knows no backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from backends.errors import NoRoute
from gateway.answer import AnswerMetrics
from gateway.diagnostics import Diagnostics
from gateway.errors import Failure
from gateway.operation import Operation
from gateway.translate.assembly import Assembly
from gateway.translate.token_usage import Timings


class StreamEncoder(Protocol):
    """How one streamed answer is written in a client's API."""

    assembly: Assembly

    def feed(self, replies: list[Any], now_ns: int) -> bytes:
        """Write what one read brought; empty when there is nothing to show."""

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, AnswerMetrics]:
        """Write the end. Raises `RequestError`: there is no answer to show."""

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Write an end that is none."""


class ClientApi(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of one API, such as Anthropic's messages."""

    name: str
    """For records, logs and metrics."""
    parse: Callable[[bytes], Any]
    """Read a body into the API's own request, which has a `model` and a `stream`. Raises `RequestError`."""
    translate: Callable[[Any, Diagnostics | None], Operation]
    """Make the neutral operation of it; notes are taken where somebody asked. Raises `RequestError`."""
    encode: Callable[[Any, Any, AnswerMetrics, int], Any] = lambda operation, answer, metrics, now_ns: answer
    """Write a whole answer: the operation, the answer, its metrics, the Unix time in nanoseconds."""
    open_stream: Callable[[Any], StreamEncoder] | None = None
    """Begin to write a streamed answer. None: it is never streamed."""
    encode_load: Callable[[Any, str, int], Any] | None = None
    """Answer a request that only loads or unloads a model: the request, the reason, the time."""
    explain_missing_model: Callable[[NoRoute], Exception] = lambda error: error
    """Word that nothing has this name, where the API has words of its own."""
    protocol: str = ""
    """The field of a profile that says whether a backend has this protocol, where its bodies can pass."""
    raw: ClientApi | None = None
    """The same operation where the body passes, since every target has the protocol itself."""
