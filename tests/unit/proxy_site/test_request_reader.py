"""Where a request ends, in whatever pieces it comes, and that nothing in it is endless."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_site.request_reader import RequestHead, RequestReader, UnreadableRequest

LIMIT = 2000
HOST = b"Host: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"


class Requests:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.heads: list[RequestHead] = []

    def on_head(self, head: RequestHead) -> None:
        self.heads.append(head)
        self.events.append((head.method, head.target, head.keeps_alive))

    def on_body(self, piece: bytes) -> None:
        if isinstance(self.events[-1], bytes):
            piece = self.events.pop() + piece
        self.events.append(piece)

    def on_end(self) -> None:
        self.events.append("end")

    def on_websocket(self, head: RequestHead) -> None:
        self.events.append("websocket")


def read(pieces: Iterable[bytes], limit: int = LIMIT) -> list[Any]:
    """Read requests as a connection does: what comes behind one is read when that is answered."""
    requests = Requests()
    reader = RequestReader(requests, limit)
    for data in pieces:
        while data and "websocket" not in requests.events:
            data = reader.read(data)
    return requests.events


def post(more: bytes, body: bytes = b"", target: bytes = b"/a") -> bytes:
    return b"POST %b HTTP/1.1\r\n" % target + HOST + more + b"\r\n" + body


def sized(body: bytes, more: bytes = b"") -> bytes:
    return post(b"Content-Length: %d\r\n" % len(body) + more, body)


ASKED = ("POST", b"/a", True)
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
REQUESTS: dict[str, tuple[bytes, list[Any]]] = {
    "no body": (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", [("GET", b"/", True), "end"]),
    "empty lines before": (b"\r\n\r\n\n" + post(b""), [ASKED, "end"]),
    "a length": (sized(b"hello"), [ASKED, b"hello", "end"]),
    "a length, and a body like a head": (sized(HIDDEN), [ASKED, HIDDEN, "end"]),
    "chunks": (post(CHUNKED, b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), [ASKED, b"hello world", "end"]),
    "empty lines in chunks": (
        post(CHUNKED, b"2\r\n\r\n\r\n6\r\n\r\n\r\n\r\n\r\n0\r\n\r\n"),
        [ASKED, b"\r\n" * 4, "end"],
    ),
    "trailers": (
        post(CHUNKED, b"1\r\na\r\n0\r\nX-Sum: 1\r\nExpect: 100-continue\r\n\r\n"),
        [ASKED, b"a", "end"],
    ),
    "trailers that ask for another protocol": (
        post(CHUNKED, b"0\r\n" + WEBSOCKET + b"\r\n"),
        [ASKED, "end"],
    ),
    "an extension": (post(CHUNKED, b"1;a=b\r\na\r\n0;c\r\n\r\n"), [ASKED, b"a", "end"]),
    "an offer": (post(OFFER), [ASKED, "end"]),
    "an offer with a length": (sized(b"hello", OFFER), [ASKED, b"hello", "end"]),
    "an offer with a head in its body": (sized(HIDDEN, OFFER), [ASKED, HIDDEN, "end"]),
    "an offer with chunks": (post(OFFER + CHUNKED, b"3\r\nabc\r\n0\r\n\r\n"), [ASKED, b"abc", "end"]),
    "an offer whose last field looks like a request": (
        post(OFFER + b"X-Tail: GET /hidden HTTP/1.1\r\n"),
        [ASKED, "end"],
    ),
    "an offer of a WebSocket with a body": (sized(b"hello", WEBSOCKET), [ASKED, b"hello", "end"]),
    "the last one without a body": (
        b"GET / HTTP/1.1\r\nConnection: TE, Close\r\n" + HOST + b"\r\n",
        [("GET", b"/", False), "end"],
    ),
    "of an older client": (
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        [("GET", b"/", False), "end"],
    ),
    "a tunnel": (
        b"CONNECT h:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        [("CONNECT", b"h:80", False), "end"],
    ),
    "the last one": (sized(b"hello", b"Connection: close\r\n"), [("POST", b"/a", False), b"hello", "end"]),
}
each_request = pytest.mark.parametrize(("sent", "events"), REQUESTS.values(), ids=REQUESTS)
KEPT = [(sent, events) for sent, events in REQUESTS.values() if events[0][-1]]
several = st.lists(st.sampled_from(KEPT), min_size=1, max_size=4)


@each_request
def test_a_request_is_the_same_wherever_it_is_cut(sent: bytes, events: list[Any]) -> None:
    for cut in range(len(sent)):
        assert read([sent[:cut], sent[cut:]]) == events


@each_request
def test_a_request_is_the_same_byte_by_byte(sent: bytes, events: list[Any]) -> None:
    assert read(bytes([byte]) for byte in sent) == events


@each_request
def test_nothing_behind_a_request_is_read_with_it(sent: bytes, events: list[Any]) -> None:
    """Neither by the same bytes nor by the parser that it leaves behind."""
    requests = Requests()
    assert RequestReader(requests, LIMIT).read(sent + HIDDEN) == HIDDEN
    assert requests.events == events


@given(several, st.data())
def test_requests_are_the_same_in_any_pieces(
    asked: list[tuple[bytes, list[Any]]], data: st.DataObject
) -> None:
    sent = b"".join(request for request, _ in asked)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=6).map(sorted))
    pieces = [sent[begin:end] for begin, end in pairwise([0, *cuts, len(sent)])]
    assert read(pieces) == [event for _, events in asked for event in events]


def test_two_offers_in_one_piece_are_two_requests() -> None:
    """Once, the second's tail was taken for a third: the place where the parser stopped was the wrong one."""
    first = post(OFFER, target=b"/one")
    second = post(OFFER + b"X-Tail: aaaaaaaaaaaaaaaaaaaaaaaaaaGET /hidden HTTP/1.1\r\n", target=b"/two")
    heads = [event for event in read([first + second]) if event != "end"]
    assert heads == [("POST", b"/one", True), ("POST", b"/two", True)]


def test_a_websocket_is_told_with_what_follows_unread() -> None:
    requests = Requests()
    asked = b"GET /live HTTP/1.1\r\n" + HOST + WEBSOCKET + b"\r\n"
    assert RequestReader(requests, LIMIT).read(asked + b"\x81\x80") == b"\x81\x80"
    assert requests.events == ["websocket"]


def test_trailers_are_none_of_the_heads_fields() -> None:
    requests = Requests()
    RequestReader(requests, LIMIT).read(post(CHUNKED, b"0\r\nAuthorization: Bearer x\r\n\r\n"))
    (head,) = requests.heads
    assert [name for name, _ in head.headers] == [b"host", b"transfer-encoding"]


# What ends in a refusal


def refused(pieces: Iterable[bytes]) -> int:
    with pytest.raises(UnreadableRequest) as raised:
        read(pieces)
    return raised.value.status


def endless(begin: bytes, more: bytes) -> Iterator[bytes]:
    """Give ten times what may come."""
    yield begin
    for _ in range(10 * LIMIT // len(more)):
        yield more


ENDLESS = {
    "a head": (b"GET / HTTP/1.1\r\n", b"X-Long: y\r\n"),
    "a field": (b"GET / HTTP/1.1\r\nX-Long: ", b"yyyyyyyy"),
    "a target": (b"GET /", b"yyyyyyyy"),
    "empty lines": (b"", b"\r\n"),
    "trailers": (post(CHUNKED, b"1\r\na\r\n0\r\n"), b"X-Long: y\r\n"),
    "a trailer": (post(CHUNKED, b"1\r\na\r\n0\r\nX-Long: "), b"yyyyyyyy"),
    "trailers behind an offer": (post(OFFER + CHUNKED, b"0\r\n"), b"X-Long: y\r\n"),
    "an extension": (post(CHUNKED, b"1;"), b"yyyyyyyy"),
    "extensions": (post(CHUNKED), b"1;" + b"y" * 100 + b"\r\na\r\n"),
}


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_what_is_endless_is_refused(begin: bytes, more: bytes) -> None:
    assert refused(endless(begin, more)) == 431


def test_a_long_body_in_the_smallest_chunks_is_read() -> None:
    chunks = b"1\r\na\r\n" * LIMIT
    assert read([post(CHUNKED), chunks, b"0\r\n\r\n"]) == [ASKED, b"a" * LIMIT, "end"]
    assert read(bytes([byte]) for byte in post(CHUNKED) + chunks + b"0\r\n\r\n")[-1] == "end"


def test_a_head_of_just_the_limit_is_read() -> None:
    line = b"GET / HTTP/1.1\r\nX-Long: "
    fitting = line + b"y" * (LIMIT - len(line) - 4) + b"\r\n\r\n"
    assert read([fitting, fitting])[-1] == "end"
    assert refused([fitting.replace(b"yy", b"yyy", 1)]) == 431


UNREADABLE = {
    "line feeds only": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "a line feed at the end of the head": b"GET / HTTP/1.1\r\n" + HOST + b"\n",
    "a line feed before the end of the head": b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
    "a line feed behind the last chunk": post(CHUNKED, b"0\n\r\n"),
    "a line feed at the end of the chunks": post(CHUNKED, b"0\r\n\n"),
    "an unknown encoding": post(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_request_is_refused(sent: bytes) -> None:
    """Where a request ends is found by CRLF alone, so the parser has to insist on it."""
    assert refused([sent]) == 400
    assert refused(bytes([byte]) for byte in sent) == 400
