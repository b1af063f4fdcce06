"""How the body of an answer is put into chunks of HTTP."""

from hypothesis import given
from hypothesis import strategies as st

from proxy_site.cycle import frame, frame_lines


def read_chunks(wire: bytes) -> list[bytes]:
    """Read chunks as a client does (RFC 9112, 7.1)."""
    chunks = []
    while wire:
        size, _, rest = wire.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n"
        chunks.append(rest[:length])
        wire = rest[length + 2 :]
    return chunks


def test_nothing_is_no_chunk() -> None:
    """An empty chunk would be the end of the answer."""
    assert frame(b"") == frame_lines(b"") == b""


def test_each_line_is_a_chunk() -> None:
    assert read_chunks(frame_lines(b'{"a":1}\n{"b":2}\n')) == [b'{"a":1}\n', b'{"b":2}\n']
    assert read_chunks(frame(b'{"a":1}\n{"b":2}\n')) == [b'{"a":1}\n{"b":2}\n']


def test_a_line_without_an_end_is_a_chunk_too() -> None:
    assert read_chunks(frame_lines(b'{"error":"x"}')) == [b'{"error":"x"}']
    assert read_chunks(frame_lines(b'{"a":1}\n{"error":"x"}')) == [b'{"a":1}\n', b'{"error":"x"}']


@given(st.lists(st.text().map(lambda text: text.encode().replace(b"\n", b"").replace(b"\r", b""))))
def test_no_byte_is_lost(lines: list[bytes]) -> None:
    ended = [line + b"\n" for line in lines]
    assert read_chunks(frame_lines(b"".join(ended))) == ended
