"""What all tests share: the environment, the legs of a run, and the product being served."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from django.conf import LazySettings
from django.test.utils import setup_databases, teardown_databases

from tests.fake_backend import FakeBackend
from tests.support import environment, legs
from tests.support.ledger import RecordSpy
from tests.support.process import ServedProcess
from tests.support.raw_http import Client

SKIPPED_LEGS = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite: only on the SQLite leg")


def pytest_report_header() -> str:
    return f"database leg: {legs.POSTGRES if legs.wants_postgres() else 'SQLite'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to the other database; skip, or refuse to skip, what lacks its server."""
    other = "sqlite" if legs.wants_postgres() else "postgres"
    elsewhere = [item for item in items if item.get_closest_marker(other)]
    items[:] = [item for item in items if item not in elsewhere]
    config.hook.pytest_deselected(items=elsewhere)
    skipped = config.stash[SKIPPED_LEGS] = {}
    if legs.wants_postgres():
        skipped |= _skip_without(legs.POSTGRES, items)
    skipped |= _skip_without(legs.REDIS, [item for item in items if item.get_closest_marker("redis")])


def _skip_without(server: str, items: list[pytest.Item]) -> dict[str, str]:
    reason = legs.missing(server) if items else ""
    if not reason:
        return {}
    if legs.is_required():
        raise pytest.UsageError(f"REQUIRE_SERVERS is set, but there is no {server}: {reason}")
    for item in items:
        item.add_marker(pytest.mark.skip(f"no {server}: {reason}"))
    return {server: reason}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None]:
    """Name the legs that were skipped where everybody looks: in the last lines."""
    yield
    for server, reason in config.stash.get(SKIPPED_LEGS, {}).items():
        terminalreporter.write_line(f"SKIPPED LEG {server}: {reason}", yellow=True, bold=True)


def pytest_unconfigure() -> None:
    environment.leave()


@pytest.fixture
def fake() -> Iterator[FakeBackend]:
    """A backend under full control."""
    with FakeBackend() as backend:
        yield backend


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The one test database. The stock fixture makes it for tests with Django's marker only."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """An empty database that other threads and processes see, with this process up to date with it."""
    from tests.support import databases, served

    with django_db_blocker.unblock():
        served.begin_anew()
        yield
        databases.empty()


@pytest.fixture(scope="session")
def _served(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """One server for all tests of a run."""
    from tests.support.served import ServedInThread

    # Its follower looks at the database between tests too.
    with django_db_blocker.unblock(), ServedInThread() as server:
        yield server


@pytest.fixture
def client(database: None, _served: Any) -> Iterator[Client]:
    """A client of the product, which runs in a thread of this process. Nothing may be left under way."""
    yield _served.client
    _served.wait_idle()


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> RecordSpy:
    """What the served product records of requests."""
    from usage import ledger as ledgers

    spy = RecordSpy(ledgers.log)
    monkeypatch.setattr(ledgers, "log", spy)
    return spy


class Change(Protocol):
    """Changes settings of the product for one test."""

    def __call__(self, **changes: Any) -> None: ...


@pytest.fixture
def change(settings: LazySettings) -> Change:
    """Change settings of the product served in this process, such as `change(idle_timeout_s=2)`."""

    def apply(**changes: Any) -> None:
        settings.PROXY = settings.PROXY.with_changes(**changes)

    return apply


Serve = Callable[..., ServedProcess]


@pytest.fixture(scope="module")
def serve(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serve]:
    """Start `manage.py serve` on the test database: its arguments, and variables by keyword.

    A start takes seconds, so a process may serve all tests of a module; it follows what they save.
    """
    from tests.support import databases

    with ExitStack() as running:

        def start(*arguments: str, **variables: str) -> ServedProcess:
            where = {"DATABASE_URL": databases.url()} | variables
            process = ServedProcess(tmp_path_factory.mktemp("served"), *arguments, **where)
            with django_db_blocker.unblock():
                return running.enter_context(process)

        yield start
