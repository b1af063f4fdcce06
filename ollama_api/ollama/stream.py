"""Chunks in, NDJSON lines out: one walk for chat and generate, which differ in how a line looks. Pure."""

from __future__ import annotations

from typing import Protocol

from backends.wire.openai_types import Reply
from gateway.answer import AnswerMetrics, AnswerPart
from gateway.errors import Failure
from gateway.translate.assembly import Assembly
from gateway.translate.token_usage import Timings, measure
from ollama_api.json_encoding import error_line


class LineWriter(Protocol):
    """How an operation writes its lines."""

    def line(self, piece: AnswerPart, now_ns: int) -> bytes:
        """Write what one chunk added, with the newline."""

    def last(self, assembly: Assembly, metrics: AnswerMetrics, now_ns: int) -> bytes:
        """Write the end. Raises `RequestError`: there is no answer to show."""


class LineEncoder:
    """One streamed answer."""

    def __init__(self, writer: LineWriter, *, shows_thinking: bool) -> None:
        self.assembly = Assembly(shows_thinking=shows_thinking)
        self._writer = writer

    def feed(self, replies: list[Reply], now_ns: int) -> bytes:
        """Translate the chunks of one read to lines, joined; empty when there is nothing to show."""
        lines: list[bytes] = []
        for reply in replies:
            piece = self.assembly.take(reply)
            if piece is not None:
                lines.append(self._writer.line(piece, now_ns))
        return b"".join(lines)

    def fail(self, failure: Failure, request_id: str) -> bytes:
        """Tell what went wrong in the last line, which is not `done`."""
        return error_line(failure)

    def finish(self, timings: Timings, now_ns: int) -> tuple[bytes, AnswerMetrics]:
        """Write the last lines. Raises `RequestError`: there is no answer to show."""
        metrics = measure(self.assembly.usage, self.assembly.timings, timings)
        return self._writer.last(self.assembly, metrics, now_ns), metrics
