"""The database of this leg, as other processes have to be told of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from psycopg import sql

from accounts.models import LOCAL_TEAM, Team

from . import legs

APPLICATION = "llamagate-under-test"


def is_postgres() -> bool:
    """Say whether the tests run on PostgreSQL."""
    return connection.vendor == "postgresql"


def empty() -> None:
    """Bring the test database back to its state after the migrations.

    Django's own flush makes all permissions anew, which takes ten times as long as everything else.
    """
    kept = (ContentType, Permission)
    models = [model for model in apps.get_models(include_auto_created=True) if model not in kept]
    with transaction.atomic(), connection.cursor() as cursor:
        for model in models:  # foreign keys are checked at the end of the transaction
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")
        Team.objects.create(name=LOCAL_TEAM)


def url() -> str:
    """Give the URL of the test database."""
    return postgres_url(file()) if is_postgres() else f"sqlite:///{file()}"


def file() -> str:
    """Give the path of the test database, or its name on PostgreSQL."""
    return str(connection.settings_dict["NAME"])


def postgres_url(name: str) -> str:
    """Give the URL of a database on the leg's server; its connections carry a name of their own."""
    parts = urlsplit(legs.url(legs.POSTGRES))
    return parts._replace(path=f"/{name}", query=f"application_name={APPLICATION}").geturl()


def connections() -> int:
    """Count the connections that processes under test hold to the test database's server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [APPLICATION])
        return int(cursor.fetchone()[0])


class OwnDatabase:
    """A PostgreSQL database that a test may close to everybody."""

    def __init__(self, name: str, server: psycopg.Connection) -> None:
        self.url = postgres_url(name)
        self._name = sql.Identifier(name)
        self._plain_name = name
        self._server = server

    def stop(self) -> None:
        """End all its connections and refuse new ones, as a server does that is stopped."""
        self._allow(False)
        self._server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self._plain_name]
        )

    def start(self) -> None:
        """Let everybody in again."""
        self._allow(True)

    def execute(self, statement: str) -> None:
        """Do something in it, as another process."""
        with psycopg.connect(self.url) as own:
            own.execute(statement.encode())

    def _allow(self, allowed: bool) -> None:
        value = sql.SQL("true" if allowed else "false")
        self._server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(self._name, value))


@contextmanager
def own_database(name: str) -> Iterator[OwnDatabase]:
    """Make a database on the leg's server, and drop it at the end."""
    identifier = sql.Identifier(name)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
    with psycopg.connect(legs.url(legs.POSTGRES), autocommit=True) as server:
        server.execute(drop)
        server.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        try:
            yield OwnDatabase(name, server)
        finally:
            server.execute(drop)
