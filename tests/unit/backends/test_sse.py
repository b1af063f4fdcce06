"""Server-sent events, however the network cuts them."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.wire.sse import EventTooLong, LineDecoder, SSEDecoder


def decode(*reads: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    events = [event for read in reads for event in decoder.feed(read)]
    return events + decoder.finish()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\ndata: a\n\n", [b"a"]),
        (b"data:\n\n", [b""]),
        (b": comment\n\n:\n\ndata: a\n\n", [b"a"]),
        (b"event: ping\nid: 7\nretry: 3000\n\nevent: message\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b"", []),
        (b"\n\n\n", []),
        (
            'data: "a\u2028b\u0085c\u2029d\x0b\x0c\x1c"\n\n'.encode(),
            ['"a\u2028b\u0085c\u2029d\x0b\x0c\x1c"'.encode()],
        ),
        (b"database: a\n\n", []),
        # Beyond the standard
        (b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n', [b'{"a":1}', b'{"b":2}', b"[DONE]"]),
        (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
        (b'data: {"a":\ndata: 1}\ndata: {}\n\n', [b'{"a":\n1}\n{}']),
        (b'data: {"a":NaN}\ndata: {"b":"\xff"}\n', [b'{"a":NaN}', b'{"b":"\xff"}']),
        (b'{"error":"no"}\n', [b'{"error":"no"}']),
        (b'\n\n[{"error":"no"}]', [b'[{"error":"no"}]']),
        (b'error: {"code":500}\n\n', [b'{"error":{"code":500}}']),
        (b"error: boom\n\n", [b'{"error":"boom"}']),
        (b'event: error\ndata: {"message":"m"}\n\n', [b'{"error":{"message":"m"}}']),
        (b'event: error\ndata: {"type":"error","error":{}}\n\n', [b'{"error":{"type":"error","error":{}}}']),
        (b'event: error\ndata: {"error":{"code":5}}\n\n', [b'{"error":{"code":5}}']),
        (b"event: error\ndata: 5\n\n", [b'{"error":5}']),
        (b"event: error\ndata: null\n\n", [b'{"error":"an error event"}']),
        (b'event: error\ndata: "\xff\n\n', ['{"error":"\\"\ufffd"}'.encode()]),
        (b"event: error\n\ndata: a\n\n", [b"a"]),
        (b"event: message\ndata: a\n\n", [b"a"]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [b'{"error":"a"}', b"b"]),
    ],
)
def test_events(stream: bytes, events: list[bytes]) -> None:
    assert decode(stream) == events


def test_an_event_is_given_as_soon_as_it_is_complete() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [b"a"]
    assert decoder.finish() == []


def test_an_event_that_is_whole_is_given_before_its_blank_line() -> None:
    """It may never come."""
    decoder = SSEDecoder()
    assert decoder.feed(b'data: {"a":1}\n') == [b'{"a":1}']
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: [DONE]\n") == [b"[DONE]"]


def test_a_long_line_in_small_reads_is_joined_once() -> None:
    """Joined at each read, four megabytes take many seconds."""
    decoder = SSEDecoder()
    decoder.feed(b"data: ")
    start = time.process_time()
    for _ in range(20_000):
        decoder.feed(b"x" * 200)
    assert len(decoder.feed(b"\n\n")[0]) == 4_000_000
    assert time.process_time() - start < 2.0


def test_a_cr_at_the_end_of_a_read_waits_for_its_lf() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r") == []
    assert decoder.feed(b"\ndata: b\r") == []
    assert decoder.feed(b"\n\r\n") == [b"a\nb"]


PIECES = st.sampled_from(
    [
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"data:",
        b"data: ",
        b":",
        b"event: x",
        b"a",
        b"{}",
        b"event: error",
        b"error: ",
        b"[DONE]",
        b"data: {}\n",
        "\u2028".encode(),
        b"\xf0\x9f",
        b" ",
    ]
)


@given(st.lists(PIECES, max_size=30).map(b"".join), st.data())
@example(b"data: a\r\n\r\n", None)
def test_any_chunking_gives_the_same_events(stream: bytes, data: st.DataObject | None) -> None:
    whole = decode(stream)
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == whole
    if data is not None:
        cut = data.draw(st.integers(0, len(stream)))
        assert decode(stream[:cut], stream[cut:]) == whole


@pytest.mark.parametrize("line", [b"data: " + b"x" * 50, b"x" * 60])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(line: bytes) -> None:
    decoder = SSEDecoder(limit_bytes=100)
    decoder.feed(line)
    with pytest.raises(EventTooLong):
        decoder.feed(b"x" * 60)


def test_an_event_without_end_is_refused_though_its_lines_are_short() -> None:
    decoder = SSEDecoder(limit_bytes=100)
    with pytest.raises(EventTooLong):
        for _ in range(20):
            decoder.feed(b"data: 0123456789\n")


def test_many_events_are_not_one_long_event() -> None:
    decoder = SSEDecoder(limit_bytes=100)
    assert sum(len(decoder.feed(b"data: 0123456789\n\n")) for _ in range(50)) == 50


# Lines


@given(st.lists(st.sampled_from([b"{}", b"\n", b"\r\n", b"abc", b""]), max_size=30).map(b"".join), st.data())
def test_any_chunking_gives_the_same_lines(stream: bytes, data: st.DataObject) -> None:
    decoder, cut = LineDecoder(), data.draw(st.integers(0, len(stream)))
    lines = [*decoder.feed(stream[:cut]), *decoder.feed(stream[cut:]), *decoder.finish()]
    assert [line for line in lines if line] == [line for line in stream.split(b"\n") if line]


def test_a_line_of_many_pieces_is_refused_before_it_fills_the_memory() -> None:
    decoder = LineDecoder(limit_bytes=100)
    decoder.feed(b"x" * 100)
    with pytest.raises(EventTooLong):
        decoder.feed(b"x")


def test_a_long_line_in_small_pieces_costs_no_more_than_its_length() -> None:
    decoder, pieces = LineDecoder(), 2900
    began = time.process_time()
    for _ in range(pieces):
        decoder.feed(b"x" * 1400)
    (line,) = decoder.feed(b"\n")
    assert len(line) == pieces * 1400
    assert time.process_time() - began < 1.0  # joined at every piece, it is ten seconds
