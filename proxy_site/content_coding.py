"""Compressed bodies of requests, decompressed in steps that never give more than was asked for. No I/O.

Ollama takes zstd where clients such as Codex send it, and at most 20 MiB of what it holds
(`server/cloud_proxy.go`, `middleware/openai.go` of v0.33). gzip and deflate cost nothing more.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESSED_PATHS = frozenset(
    {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages"}
)
"""The routes that take such bodies, by POST."""
MOST_BYTES = 20 * 1024 * 1024
"""Of a body, decompressed; and of one as it comes, so that what holds nothing is not endless."""
STEP_BYTES = 256 * 1024
"""Of what one step gives: about half a millisecond of work."""
MOST_MEMBERS = 64
"""Files or frames behind one another, which gzip and zstd allow."""
LARGEST_WINDOW_LOG = 23
"""8 MiB: no sender may need more for HTTP (RFC 9659), and a decoder of ours holds no more."""


class UnreadableCoding(Exception):
    """The body is not what its Content-Encoding says; the text is a sentence."""


class ZlibDecompressor:
    """zlib's, which leaves its unused input with the caller, in the form of those that do not."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Give at most so much of what `data`, and what was left before, holds."""
        stream = self._stream
        given = stream.decompress(stream.unconsumed_tail + data, max_length)
        self.eof, self.unused_data = stream.eof, stream.unused_data
        self.needs_input = not stream.unconsumed_tail and len(given) < max_length
        return given


Decompressor = ZlibDecompressor | zstd.ZstdDecompressor


def _open_gzip(_: bytes) -> Decompressor:
    return ZlibDecompressor(zlib.MAX_WBITS | 16)


def _open_deflate(begin: bytes) -> Decompressor:
    """With zlib's header, as RFC 9110 (8.4.1.2) says, or without, as many senders do."""
    has_header = len(begin) < 2 or (begin[0] & 0x0F == 8 and int.from_bytes(begin[:2]) % 31 == 0)
    return ZlibDecompressor(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _open_zstd(_: bytes) -> Decompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: LARGEST_WINDOW_LOG})


CODINGS: dict[bytes, Callable[[bytes], Decompressor]] = {
    b"gzip": _open_gzip,
    b"x-gzip": _open_gzip,
    b"deflate": _open_deflate,
    b"zstd": _open_zstd,
}
ACCEPTED = "gzip, deflate or zstd"


class BodyDecoder:
    """One body: `feed` it what came, then take `step`s while `has_more`.

    Attributes:
        has_more: what was fed may give more without anything new.
        taken: bytes fed until now.
    """

    def __init__(self, coding: bytes) -> None:
        self._coding = coding
        self._open = CODINGS[coding]
        self._stream: Decompressor | None = None
        self._data = b""
        self._members = 0
        self.taken = 0
        self.has_more = False

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self.taken += len(data)
        self._data += data
        self.has_more = bool(self._data)

    def step(self) -> bytes:
        """Give at most `STEP_BYTES` more. Raises `UnreadableCoding`."""
        stream = self._stream or self._open_member()
        data, self._data = self._data, b""
        try:
            given = stream.decompress(data, STEP_BYTES)
        except (zlib.error, zstd.ZstdError, EOFError):
            raise self._unreadable() from None
        if stream.eof:
            self._data = stream.unused_data
            self._stream = None
        self.has_more = bool(self._data) or not (stream.eof or stream.needs_input)
        return given

    def require_end(self) -> None:
        """Raise `UnreadableCoding` unless the body is whole."""
        if self._stream is not None:
            raise self._unreadable()

    def _open_member(self) -> Decompressor:
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise self._unreadable()
        self._stream = self._open(self._data)
        return self._stream

    def _unreadable(self) -> UnreadableCoding:
        return UnreadableCoding(f"the body is not valid {self._coding.decode()}")


def open_decoder(coding: bytes | None) -> BodyDecoder | None:
    """Make the decoder for a Content-Encoding that may pass; None where nothing is compressed."""
    name = (coding or b"identity").lower()
    return BodyDecoder(name) if name in CODINGS else None
