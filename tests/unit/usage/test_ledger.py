"""The log line of a request, as it is written."""

import io
import json
from typing import Any

import pytest
import structlog

from proxy_site import logs
from usage import ledger
from usage.attempt_record import MOST_ATTEMPTS, MOST_CALLS, AttemptRecord, AttemptRecords, CallRecord
from usage.ledger import UsageRecord

MOST_LINE = 40_000


def write(monkeypatch: pytest.MonkeyPatch, record: UsageRecord, style: str = "json") -> str:
    """Close a record: the line that is written."""
    lines = io.BytesIO()
    text = io.StringIO()
    logger: Any = structlog.BytesLogger(lines) if style == "json" else structlog.PrintLogger(text)
    processors = [*logs.SHARED_PROCESSORS, logs._renderer(style)]
    monkeypatch.setattr(ledger, "log", structlog.wrap_logger(logger, processors=processors))
    ledger.close_record(record, "ok")
    return lines.getvalue().decode() or text.getvalue()


def make_record(*attempts: AttemptRecord) -> UsageRecord:
    return UsageRecord("id", "chat", "team", "key", "m", True, 1, attempts=AttemptRecords(attempts))


def test_all_attempts_stand_in_the_line_with_their_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = CallRecord("rejected 429", 1.0, 2.5)
    answered = CallRecord("ok", 4.0, 90.0, 1200)
    record = make_record(
        AttemptRecord("one", "m1", "/chat/completions", "rejected 429", 1.0, 2.5, calls=(failed,)),
        AttemptRecord(
            "two", "m2", "/chat/completions", "ok", 4.0, 90.0, 30.0, 1200, emulated_stops=2, calls=(answered,)
        ),
    )
    assert json.loads(write(monkeypatch, record))["attempts"] == [
        {
            "backend": "one",
            "model": "m1",
            "path": "/chat/completions",
            "outcome": "rejected 429",
            "sent_ms": 1.0,
            "ms": 2.5,
            "calls": [{"outcome": "rejected 429", "sent_ms": 1.0, "ms": 2.5}],
        },
        {
            "backend": "two",
            "model": "m2",
            "path": "/chat/completions",
            "outcome": "ok",
            "sent_ms": 4.0,
            "ms": 90.0,
            "first_ms": 30.0,
            "answer_bytes": 1200,
            "emulated_stops": 2,
            "calls": [{"outcome": "ok", "sent_ms": 4.0, "ms": 90.0, "answer_bytes": 1200}],
        },
    ]


def test_the_longest_line_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    call = CallRecord("rejected 429", 123456.78, 123456.78, 10**9)
    attempt = AttemptRecord(
        "b" * 200,
        "m" * 200,
        "/images/generations",
        "rejected 429",
        123456.78,
        123456.78,
        123456.78,
        10**9,
        100,
        (call,) * MOST_CALLS,
        10**6,
    )
    assert len(write(monkeypatch, make_record(*[attempt] * MOST_ATTEMPTS))) < MOST_LINE


def test_on_a_terminal_the_line_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = AttemptRecord("one", "m1", "/chat/completions", "ok", 4.0, 90.0)
    line = write(monkeypatch, make_record(attempt), style="console")
    assert "backend='one', model='m1', path='/chat/completions', outcome='ok'" in line
