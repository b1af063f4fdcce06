"""Good answers in other bytes: what real backends and gateways make of the same stream."""

import zlib
from collections.abc import Callable, Iterable, Iterator

from tests.fake_backend.answers import Answer
from tests.fake_backend.steps import BodyStep, Comment, Done, Script, Send, Sleep, Step


def no_done() -> Script:
    """Leave `[DONE]` out; the HTTP body ends properly."""
    return Script(lambda answer: [step for step in answer.steps if step != Done()])


def no_finish() -> Script:
    """End the HTTP body properly after the content: no finish chunk, no `[DONE]`."""
    return Script(lambda answer: [*answer.opening, *answer.content])


def odd_chunking(cut: int, pause: float = 0.0) -> Script:
    """Cut the bytes at every `cut` bytes, through events and characters, each piece in its own write."""

    def play(answer: Answer) -> Iterable[Step]:
        data = b"".join(step.encode() for step in answer.steps)
        for start in range(0, len(data), cut):
            yield Send(data[start : start + cut])
            yield Sleep(pause)

    return Script(play)


def crlf() -> Script:
    """End lines with CR LF."""
    return _rewritten(lambda step: step.encode().replace(b"\n", b"\r\n"))


def comments(text: str = " OPENROUTER PROCESSING") -> Script:
    """Put a keep-alive comment before every event; white space before a whole answer."""

    def play(answer: Answer) -> Iterable[Step]:
        keep_alive = Comment(text) if answer.streaming else Send(b"\n\n")
        return [made for step in answer.steps for made in (keep_alive, step)]

    return Script(play)


def gzip_sse() -> Script:
    """Compress the body with gzip, flushed after each event, whatever the client accepts."""

    def play(answer: Answer) -> Iterator[Step]:
        packer = zlib.compressobj(wbits=31)
        for step in answer.steps:
            yield Send(packer.compress(step.encode()) + packer.flush(zlib.Z_SYNC_FLUSH))
        yield Send(packer.flush())

    return Script(play, headers={"content-encoding": "gzip"})


def _rewritten(rewrite: Callable[[BodyStep], bytes]) -> Script:
    return Script(lambda answer: [Send(rewrite(step)) for step in answer.steps])
