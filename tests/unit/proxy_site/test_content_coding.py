"""Compressed bodies, in steps: any sender's output cut anywhere, and nothing that grows without bound."""

import gzip
import sys
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_site.content_coding import MOST_MEMBERS, STEP_BYTES, BodyDecoder, UnreadableCoding, open_decoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def deflate_raw(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


SENDERS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"x-gzip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "deflate without a header": (b"deflate", deflate_raw),
    "zstd": (b"zstd", zstd.compress),
    "two gzip files": (b"gzip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
    "two zstd frames": (b"zstd", lambda data: zstd.compress(data[:5]) + zstd.compress(data[5:])),
}
WHOLE = [*SENDERS.values()]


def steps(decoder: BodyDecoder, pieces: list[bytes]) -> list[bytes]:
    given = []
    for piece in pieces:
        decoder.feed(piece)
        while decoder.has_more:
            given.append(decoder.step())
    return given


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("size", [2, 7, 100, 10**9])
def test_what_was_sent_comes_out(sender: str, size: int) -> None:
    coding, compress = SENDERS[sender]
    said = b'{"model": "m"}' * 50
    decoder = BodyDecoder(coding)
    assert b"".join(steps(decoder, cut(compress(said), size))) == said
    decoder.require_end()


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(WHOLE), st.binary(max_size=3000), st.integers(2, 500))
def test_any_body_cut_anywhere(
    sender: tuple[bytes, Callable[[bytes], bytes]], said: bytes, size: int
) -> None:
    decoder = BodyDecoder(sender[0])
    assert b"".join(steps(decoder, cut(sender[1](said), size))) == said
    decoder.require_end()


@pytest.mark.parametrize("sender", SENDERS)
def test_no_step_gives_more_than_its_bound(sender: str) -> None:
    """A thousandth of the size on the way: what comes is counted step by step before there is more."""
    coding, compress = SENDERS[sender]
    bomb = compress(b"\0" * (40 * STEP_BYTES))
    given = steps(BodyDecoder(coding), [bomb])
    assert max(map(len, given)) <= STEP_BYTES
    assert sum(map(len, given)) == 40 * STEP_BYTES


@pytest.mark.parametrize("sender", SENDERS)
def test_a_body_that_is_cut_short_is_none(sender: str) -> None:
    coding, compress = SENDERS[sender]
    decoder = BodyDecoder(coding)
    steps(decoder, [compress(b"x" * 5000)[:-3]])
    with pytest.raises(UnreadableCoding, match="is not valid"):
        decoder.require_end()


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"zstd"])
@pytest.mark.parametrize("body", [b'{"model": "m"}', b"\xff" * 99, b"\0" * 99])
def test_what_is_not_compressed_is_refused(coding: bytes, body: bytes) -> None:
    decoder = BodyDecoder(coding)
    with pytest.raises(UnreadableCoding, match=coding.decode()):
        steps(decoder, [body])
        decoder.require_end()


def test_a_window_that_is_too_large_is_refused() -> None:
    """It would be memory that nobody counts."""
    sender = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(UnreadableCoding):
        steps(BodyDecoder(b"zstd"), [sender.compress(b"x" * 1000) + sender.flush()])


@pytest.mark.parametrize("empty", [gzip.compress(b""), zstd.compress(b"")], ids=["gzip", "zstd"])
def test_parts_that_hold_nothing_have_a_bound(empty: bytes) -> None:
    coding = b"gzip" if empty.startswith(b"\x1f") else b"zstd"
    steps(BodyDecoder(coding), [empty * MOST_MEMBERS])
    begun = time.process_time()
    with pytest.raises(UnreadableCoding):
        steps(BodyDecoder(coding), [empty * 100_000])
    assert time.process_time() - begun < 1.0


def test_nothing_at_all_is_a_whole_body() -> None:
    decoder = BodyDecoder(b"gzip")
    assert steps(decoder, [b""]) == []
    decoder.require_end()


@pytest.mark.parametrize("coding", [None, b"identity", b"Identity"])
def test_what_is_not_compressed_needs_no_decoder(coding: bytes | None) -> None:
    assert open_decoder(coding) is None
