"""A PostgreSQL database for one test, on the server that TEST_POSTGRES_URL names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

VARIABLE = "TEST_POSTGRES_URL"


def why_missing() -> str:
    """Say why there is no server; empty when it answers."""
    if not os.environ.get(VARIABLE):
        return f"{VARIABLE} is not set"
    try:
        psycopg.connect(_url("postgres"), connect_timeout=3).close()
    except psycopg.Error as error:
        return f"no answer at {VARIABLE} ({type(error).__name__})"
    return ""


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """Make a database, give its URL, and drop it at the end."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(_url("postgres"), autocommit=True) as server:
        server.execute(drop)
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield _url(name)
        finally:
            server.execute(drop)


def _url(name: str) -> str:
    return urlsplit(os.environ[VARIABLE])._replace(path=f"/{name}").geturl()
