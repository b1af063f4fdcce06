"""The thread that follows the configuration is watched, whatever it hangs in."""

import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from core import follower
from core.follower import Follower
from core.outage import Outage
from core.revisions import ConfigRevision
from core.snapshot_cache import RevisionedCache
from tests.support.waiting import eventually

AWAY, BACK = "database away: serving from the last snapshot", "database back"
UNREADABLE = "configuration not reloaded: serving from the last snapshot"


class Rows:
    """What the follower reads: it hangs, fails or answers as the test says."""

    def __init__(self) -> None:
        self.answering = threading.Event()
        self.answering.set()
        self.error: Exception | None = None
        self.reads = 0

    def load(self) -> tuple[int, str]:
        self.answering.wait(20)
        self.reads += 1
        if self.error is not None:
            raise self.error
        return -1, "value"  # never the number in the database: it is read again at each look


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    rows = Rows()
    monkeypatch.setattr(follower, "SILENCE_S", 0.5)
    monkeypatch.setattr(follower, "WATCH_S", 0.05)
    with mock.patch.object(ConfigRevision, "objects") as objects:
        objects.values_list.return_value = [("routing", 1)]
        following = Follower([RevisionedCache("routing", rows.load)], poll_s=0.02)
        following.start()
        assert following.wait_for_caches(5)
        yield rows
        rows.answering.set()
        following.stop()


def lines(said: list[Any], event: str) -> list[Any]:
    return [line for line in said if line["event"] == event]


def test_a_read_that_hangs_where_no_driver_keeps_time_is_told_once(rows: Rows) -> None:
    look = mock.patch.object(Outage, "look", autospec=True, side_effect=Outage.look)
    with look as watching, capture_logs() as said:
        rows.answering.clear()
        (away,) = eventually(lambda: lines(said, AWAY), 5.0, "the line")
        assert away["reason"].startswith("no answer for")
        looks = watching.call_count
        eventually(lambda: watching.call_count > looks + 3, 5.0, "more looks: it must not be said again")
        rows.answering.set()
        (back,) = eventually(lambda: lines(said, BACK), 5.0, "the line of its end")
    assert (len(lines(said, AWAY)), back["since"]) == (1, away["since"])


def test_rows_that_cannot_be_read_are_told_once_while_the_database_answers(rows: Rows) -> None:
    with capture_logs() as said:
        rows.error = KeyError("a row")
        seen = rows.reads
        eventually(lambda: rows.reads > seen + 60, 10.0, "many looks, for longer than the silence")
        assert [line["event"] for line in said] == [UNREADABLE]
        rows.error = ValueError("another")
        eventually(lambda: len(said) > 1, 5.0, "another error")
    assert [line["event"] for line in said] == [UNREADABLE, UNREADABLE]


def test_a_reason_is_bounded() -> None:
    outage = Outage(1.0)
    with capture_logs() as said:
        outage.note_failed("x" * 10_000)
        outage.note_failed("again")
    (line,) = said
    assert len(line["reason"]) == 300
