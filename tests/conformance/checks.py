"""What checks are made of: each raises `Failed` unless things are as they must be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.conformance.verdicts import Verdict, near

if TYPE_CHECKING:
    from tests.conformance.wire import Answer

Json = dict[str, Any]
JSON_TYPE = "application/json; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson"
UTC_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
ANY_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
SHOWN = 300


class Failed(Exception):
    """Something is not as in Ollama, nor different as documented."""

    def __init__(self, what: str, seen: object = None) -> None:
        super().__init__(what)
        self.what = what
        """What must hold: the same words on every run."""
        self.seen = "" if seen is None else _short(seen)


def _short(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    shown = text if isinstance(text, str) else repr(text)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def true(what: str, condition: object, seen: object = None) -> None:
    """Check anything: `what` says what must hold."""
    if not condition:
        raise Failed(what, seen)


def same(what: str, seen: object, wanted: object) -> None:
    """Check for equality, as JSON has it: 1 is not true."""
    if not _alike(seen, wanted):
        raise Failed(what, f"{_short(seen)} instead of {_short(wanted)}")


def _alike(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, type(one)):
        return len(one) == len(other) and all(map(_alike, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def matches(what: str, seen: object, pattern: str | re.Pattern[str]) -> None:
    """Check that a text matches as a whole."""
    if not isinstance(seen, str) or re.fullmatch(pattern, seen) is None:
        raise Failed(what, seen)


def has_status(answer: Answer, *allowed: int) -> None:
    """Check the status."""
    if answer.status not in allowed:
        words = " or ".join(map(str, allowed))
        raise Failed(f"{answer.asked}: status {words}", f"{answer.status} {_short(answer.body)}")


def ok(answer: Answer) -> Any:
    """Check for a 200 with one JSON value, as Ollama writes it; give the value."""
    has_status(answer, 200)
    same(f"{answer.asked}: content type", answer.content_type, JSON_TYPE)
    return answer.json


def plain(answer: Answer, status: int, text: str) -> None:
    """Check for one of the plain answers of Ollama's router."""
    has_status(answer, status)
    matches(f"{answer.asked}: content type text/plain", answer.content_type, r"text/plain(; ?charset=utf-8)?")
    same(f"{answer.asked}: body", answer.text, text)


Wanted = str | re.Pattern[str] | Callable[[str], bool] | None


def refused(answer: Answer, status: int | Container[int], wanted: Wanted = None) -> str:
    """Check for an error in Ollama's shape: `{"error": "<sentence>"}` and nothing else; give the sentence.

    A 401 has what the command line shows of one as well.
    """
    allowed = {status} if isinstance(status, int) else status
    if answer.status not in allowed:
        shown = status if isinstance(status, int) else "of an error"
        raise Failed(f"{answer.asked}: status {shown}", f"{answer.status} {_short(answer.body)}")
    matches(f"{answer.asked}: JSON", answer.content_type, r"application/json(; charset=utf-8)?")
    said = answer.json
    names = ["error", "status", "signin_url"] if answer.status == 401 else ["error"]
    same(f"{answer.asked}: the keys", list(said) if isinstance(said, dict) else said, names)
    sentence = said["error"]
    true(f"{answer.asked}: the error is a sentence", isinstance(sentence, str) and sentence, said)
    _fits(answer.asked, sentence, wanted)
    return str(sentence)


def _fits(asked: str, sentence: str, wanted: Wanted) -> None:
    if isinstance(wanted, str):
        true(f"{asked}: the error reads {wanted!r}", sentence == wanted, sentence)
    elif isinstance(wanted, re.Pattern):
        true(f"{asked}: the error matches {wanted.pattern!r}", wanted.search(sentence), sentence)
    elif wanted is not None:
        true(f"{asked}: the error's text", wanted(sentence), sentence)


ANY_ERROR = range(400, 600)
SERVER_ERROR = range(500, 600)


def nothing_leaks(answer: Answer) -> None:
    """Check that an error shows nothing of the inside."""
    for sign in ("Traceback", 'File "', "<html", "<!DOCTYPE", "<!doctype"):
        true(f"{answer.asked}: no traceback and no HTML", sign not in answer.text, answer.text)


def lines_of(answer: Answer) -> list[Json]:
    """Check for NDJSON to the letter; give the lines."""
    has_status(answer, 200)
    same(f"{answer.asked}: content type", answer.content_type, NDJSON_TYPE)
    true(f"{answer.asked}: the last line ends with a newline", answer.body.endswith(b"\n"), answer.body[-80:])
    return [_line(answer.asked, line) for line in answer.body[:-1].split(b"\n")]


def _line(asked: str, line: bytes) -> Json:
    try:
        value = json.loads(line)
    except ValueError:
        raise Failed(f"{asked}: every line is a JSON object, none is blank", line) from None
    true(f"{asked}: every line is a JSON object, none is blank", isinstance(value, dict), line)
    return dict(value)


def done_lines(answer: Answer) -> list[Json]:
    """Check for NDJSON that ends with its one `done: true`."""
    lines = lines_of(answer)
    same(
        "done is true in the last line only",
        [line.get("done") for line in lines],
        [False] * (len(lines) - 1) + [True],
    )
    return lines


def broken_off(answer: Answer) -> str:
    """Check for a stream that ends with an error line and no `done: true`; give the sentence."""
    lines = lines_of(answer)
    same("the last line is an error", list(lines[-1]), ["error"])
    true("no line is done", not any(line.get("done") for line in lines), lines)
    true("only the last line is an error", not any("error" in line for line in lines[:-1]), lines)
    return str(lines[-1]["error"])


def is_count(what: str, value: object) -> None:
    """Check for a positive integer."""
    true(
        f"{what} is a positive integer",
        isinstance(value, int) and not isinstance(value, bool) and value > 0,
        value,
    )


class Differences:
    """The documented differences that a check has met, each seen to be that and nothing else."""

    def __init__(self) -> None:
        self._met: list[str] = []

    def status(self, answer: Answer, *, ollama: int, here: int, because: str) -> None:
        """Take Ollama's status, or the documented other one."""
        has_status(answer, ollama, here)
        if answer.status != ollama:
            self.met(because)

    def met(self, reason: str) -> None:
        """Note a difference."""
        if reason not in self._met:
            self._met.append(reason)

    @property
    def verdict(self) -> Verdict | None:
        """None when nothing is different."""
        return near("; ".join(self._met)) if self._met else None


def keys_within(what: str, value: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """Check that an object has no key that Ollama does not send, and those it has in Ollama's order."""
    same(f"{what}: Ollama's keys, in its order", list(value), [key for key in allowed if key in value])


def close_enough(what: str, seen: Sequence[float], wanted: Sequence[float]) -> None:
    """Check that two vectors are the same, as far as 32 bits go."""
    same(f"{what}: components", len(seen), len(wanted))
    true(
        what,
        all(math.isclose(one, other, abs_tol=1e-5) for one, other in zip(seen, wanted, strict=True)),
        seen,
    )
