"""Backends that are slow, silent, stalled, steady or endless."""

from collections.abc import Hashable, Iterable

from tests.fake_backend.answers import Answer
from tests.fake_backend.replies import say
from tests.fake_backend.steps import Flood, Hang, Head, Paced, Script, Sleep, Step, Wait, Writes

from .breaks import interrupted


def slow_first_token(seconds: float, *, headers_first: bool = True) -> Script:
    """Answer after a pause, which comes after the headers or before them."""
    pause: list[Step] = [Head(), Sleep(seconds)] if headers_first else [Sleep(seconds)]
    return Script(lambda answer: [*pause, *answer.steps])


def held(event: str = "go", *, after: int = 0) -> Script:
    """Stop after so many pieces of content until the test calls `fake.release(event)`."""
    return interrupted(after, Wait(event))


def silent() -> Script:
    """Accept the request and never answer."""
    return Script([Hang()])


def headers_then_silence() -> Script:
    """Send status 200 and headers, then nothing."""
    return Script([Head(), Hang()])


def stall_mid_stream(after: int = 1) -> Script:
    """Send so many pieces of content, then nothing more."""
    return interrupted(after, Hang())


def tokens(count: int, interval: float = 0.0, writes: Writes = "one") -> Script:
    """Say `count` tokens (`token_text(count)`), one each `interval` seconds.

    With interval 0 they go out as fast as the peer reads, in one write or event by event. The bytes are
    made once and used for every request that looks alike: the fake must stay cheap in a benchmark.
    """
    reply = say(token_text(count))
    made: dict[Hashable, list[Step]] = {}

    def play(answer: Answer) -> Iterable[Step]:
        if answer.likeness not in made:
            if len(made) == _KEPT_STREAMS:
                made.clear()
            made[answer.likeness] = _token_steps(answer.saying(reply), interval, writes)
        return made[answer.likeness]

    return Script(play)


_KEPT_STREAMS = 64


def token_text(count: int) -> str:
    """Give the text that `tokens(count)` says."""
    return "".join(f"token{number} " for number in range(count))


def _token_steps(answer: Answer, interval: float, writes: Writes) -> list[Step]:
    if not answer.streaming:
        return list(answer.steps)
    if interval > 0:
        content = Paced(tuple(step.encode() for step in answer.content), interval)
        return [*answer.opening, content, *answer.closing]
    return [Paced(tuple(step.encode() for step in answer.steps), writes=writes)]


def flood(piece_bytes: int = 64 * 1024) -> Script:
    """Send content without end, until the peer stops reading and on until it leaves."""

    def play(answer: Answer) -> Iterable[Step]:
        return [*answer.opening, Flood(answer.chunk({"content": "x" * piece_bytes}).encode())]

    return Script(play, framing="chunked")
