"""Is this answer whole? Every answer of the benchmark is compared with what the upstream sent."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

import msgspec

from bench.script import FINISH_REASON, PROMPT_TOKENS, text


class WrongAnswer(Exception):
    """An answer differs from what the upstream sent, so that the measurement is void."""


class Message(msgspec.Struct):
    """Ollama's message."""

    content: str = ""


class Line(msgspec.Struct):
    """One line of a streamed `/api/chat`, or the whole answer."""

    done: bool = False
    message: Message | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Expected:
    """What one answer must be."""

    seed: int
    count: int
    stream: bool


_decode = msgspec.json.Decoder(Line).decode


def check(expected: Expected, status: int, content_type: str, body: bytes) -> int:
    """Return the number of lines in a faultless answer.

    Raises:
        WrongAnswer: Something is missing, too much, out of place or not well formed.
    """
    if status != 200:
        raise WrongAnswer(f"status {status}: {body[:300]!r}")
    wanted = "application/x-ndjson" if expected.stream else "application/json"
    if content_type.partition(";")[0] != wanted:
        raise WrongAnswer(f"content type {content_type!r} instead of {wanted}")
    lines = _lines(body) if expected.stream else [_line(body)]
    _check_end(expected, lines)
    _check_text(expected, "".join(line.message.content for line in lines if line.message is not None))
    return len(lines)


def _lines(body: bytes) -> list[Line]:
    *lines, rest = body.split(b"\n")
    if rest:
        raise WrongAnswer(f"the last line has no end: {rest[:200]!r}")
    return [_line(line) for line in lines]


def _line(data: bytes) -> Line:
    try:
        line = _decode(data)
    except msgspec.MsgspecError as fault:
        raise WrongAnswer(f"not a line of an answer ({fault}): {data[:200]!r}") from fault
    if line.error is not None:
        raise WrongAnswer(f"an error: {line.error}")
    return line


def _check_end(expected: Expected, lines: list[Line]) -> None:
    ends = sum(line.done for line in lines)
    if ends != 1 or not lines[-1].done:
        raise WrongAnswer(
            f"{ends} lines say done:true; there must be one, and it must be the last of {len(lines)}"
        )
    last = lines[-1]
    found = (last.done_reason, last.prompt_eval_count, last.eval_count)
    if found != (FINISH_REASON, PROMPT_TOKENS, expected.count):
        raise WrongAnswer(
            f"done_reason, prompt_eval_count, eval_count are {found} instead of "
            f"{(FINISH_REASON, PROMPT_TOKENS, expected.count)}"
        )


def _check_text(expected: Expected, found: str) -> None:
    wanted = text(expected.seed, expected.count)
    if found != wanted:
        raise WrongAnswer(f"the text is not the upstream's: {difference(wanted, found)}")


def difference(wanted: str, found: str) -> str:
    """Say in a few words how two texts of unique pieces differ."""
    there, here = Counter(wanted.split()), Counter(found.split())
    faults = (
        ("lost", there - here),
        ("doubled", Counter({piece: n - 1 for piece, n in here.items() if piece in there and n > 1})),
        ("strange", Counter({piece: n for piece, n in here.items() if piece not in there})),
    )
    said = [f"{name} {', '.join(islice(pieces, 5))}" for name, pieces in faults if pieces]
    return "; ".join(said) or "the pieces are out of order"
