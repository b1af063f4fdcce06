"""PostgreSQL is there, but nothing is heard of it: connections stay open and no byte passes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from accounts.models import LOCAL_TEAM
from core import database
from core.database import LimitedConnection, NoAnswer
from tests.conftest import Serve
from tests.fake_backend import REPLY_TEXT, FakeBackend
from tests.support import environment
from tests.support.databases import OwnDatabase, own_database
from tests.support.process import ServedProcess
from tests.support.raw_http import text_of
from tests.support.relay import Relay, address, through
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.postgres
NOTICED_S = 5.0
STALLED_S = 0.5
"""By so much a busy machine may be late to write its line."""
AWAY, BACK = "database away: serving from the last snapshot", "database back"


@pytest.fixture(scope="module")
def own() -> Iterator[OwnDatabase]:
    with own_database("llamagate_test_hanging") as made:
        yield made


@pytest.fixture
def relay(own: OwnDatabase) -> Iterator[Relay]:
    with Relay(address(own.url)) as cable:
        yield cable


@pytest.fixture
def process(serve: Serve, own: OwnDatabase, relay: Relay, fake: FakeBackend) -> Iterator[ServedProcess]:
    """The product, whose only way to the database is the relay."""
    url = through(own.url, relay.port)
    yield serve(DATABASE_URL=url, OPENAI_API_KEY="sk-1", OPENAI_BASE_URL=fake.base_url)
    own.execute(
        "TRUNCATE backends_backend, backends_modelmapping CASCADE"
    )  # the next one makes its own, at its own address


@pytest.fixture
def locked(own: OwnDatabase) -> Iterator[psycopg.Connection]:
    """Somebody who holds a lock on a table that everybody reads."""
    with psycopg.connect(own.url) as somebody:
        somebody.execute("CREATE TABLE IF NOT EXISTS held (number int)")
        somebody.commit()
        somebody.execute("LOCK TABLE held")
        yield somebody
        somebody.rollback()


def _mute(relay: Relay) -> None:
    relay.mute()


def _mute_and_lose_connections(relay: Relay) -> None:
    """As a restart of something between does: old connections end, new ones are accepted and never served."""
    relay.pull()
    relay.mute()
    relay.plug_in()


@pytest.mark.parametrize("hang", [_mute, _mute_and_lose_connections])
def test_a_hanging_database_is_told_within_five_seconds_and_stops_no_chat(
    process: ServedProcess, relay: Relay, own: OwnDatabase, hang: Callable[[Relay], None]
) -> None:
    """Revocation stops while it hangs: an operator has to know, and it must work again at once after that."""
    assert _status(process) == 200
    began = time.monotonic()
    hang(relay)
    told = process.wait_logged(AWAY, timeout=NOTICED_S + STALLED_S)
    _serve_through(process, began + 8.0)
    own.execute(
        f"UPDATE accounts_team SET enabled = false WHERE name = '{LOCAL_TEAM}';"
        "INSERT INTO backends_configrevision VALUES ('access', 1)"
        " ON CONFLICT (name) DO UPDATE SET number = backends_configrevision.number + 1"
    )
    assert _status(process) == 200

    relay.unmute()
    eventually(lambda: _status(process) == 401, 5.0, "the revocation, once the database answers")
    (back,) = process.wait_logged(BACK)
    assert len(process.logged(AWAY)) == 1
    assert told[0]["since"] == back["since"]
    assert back["away_s"] >= 7.0
    own.execute("UPDATE accounts_team SET enabled = true")


def test_a_start_does_not_wait_for_a_mute_database(own: OwnDatabase, relay: Relay, tmp_path: Path) -> None:
    relay.mute()
    refused = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=environment.ROOT,
        env=environment.closed(DATABASE_URL=through(own.url, relay.port), DATA_DIR=str(tmp_path), PORT="0"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode == 1
    assert "The database cannot be used" in refused.stderr


def test_a_statement_that_waits_too_long_ends_here_and_at_the_server(
    own: OwnDatabase, locked: psycopg.Connection
) -> None:
    waiting = LimitedConnection.connect(own.url, autocommit=True)
    pid = waiting.info.backend_pid
    with database.statement_limit(PATIENCE_S), pytest.raises(NoAnswer, match="no answer within"):
        waiting.execute("SELECT * FROM held")
    assert waiting.closed
    with psycopg.connect(own.url, autocommit=True) as other:
        left = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        eventually(lambda: other.execute(left, [pid]).fetchone() == (0,), 5.0, "the end of it at the server")


def test_migrations_are_not_cut(own: OwnDatabase) -> None:
    """They may wait for others much longer than the limit."""
    migrate = [sys.executable, "manage.py", "migrate"]
    settings = environment.closed(DATABASE_URL=own.url, LLAMAGATE_DATABASE_TIMEOUT_S=str(PATIENCE_S))
    subprocess.run(migrate, cwd=environment.ROOT, env=settings, check=True, timeout=50)
    with psycopg.connect(own.url) as somebody:
        somebody.execute("LOCK TABLE django_migrations")
        migrating = subprocess.Popen(migrate, cwd=environment.ROOT, env=settings)
        with psycopg.connect(own.url, autocommit=True) as other:
            waited = (
                "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                f" WHERE NOT granted AND now() - query_start > interval '{2 * PATIENCE_S} seconds'"
            )
            eventually(lambda: other.execute(waited).fetchone() == (1,), 40.0, "a migration that waits")
        somebody.rollback()
    assert migrating.wait(30) == 0


def _status(process: ServedProcess) -> int:
    answer = process.client.chat(model="fake-model")
    if answer.status == 200:
        assert text_of(answer.lines) == REPLY_TEXT
    return answer.status


def _serve_through(process: ServedProcess, end: float) -> None:
    """Chat all the while; no answer waits for the database."""
    while (start := time.monotonic()) < end:
        assert _status(process) == 200
        assert time.monotonic() - start < 1.0
