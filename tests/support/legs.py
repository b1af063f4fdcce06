"""The legs of a test run: SQLite always, PostgreSQL in a run of its own, Redis where it is needed.

TEST_DATABASE        `sqlite` (default) or `postgres`: which database this run is on
TEST_POSTGRES_URL    the server for it; the tests make and drop databases of their own there
TEST_REDIS_URL       the server for the tests marked `redis`
REQUIRE_SERVERS=1    a server that is missing is an error, not a skipped leg
"""

import os
from functools import cache

import psycopg
import redis

POSTGRES, REDIS = "PostgreSQL", "Redis"
_VARIABLES = {POSTGRES: "TEST_POSTGRES_URL", REDIS: "TEST_REDIS_URL"}


def wants_postgres() -> bool:
    """Say whether this run is the PostgreSQL leg."""
    return os.environ.get("TEST_DATABASE", "sqlite") == "postgres"


def is_required() -> bool:
    """Say whether a missing server is an error."""
    return os.environ.get("REQUIRE_SERVERS", "") not in ("", "0")


def url(server: str) -> str:
    """Give the URL of a server, empty when there is none."""
    return os.environ.get(_VARIABLES[server], "")


@cache
def missing(server: str) -> str:
    """Say why a server cannot be used, or nothing when it answers."""
    if not url(server):
        return f"{_VARIABLES[server]} is not set"
    try:
        _greet[server](url(server))
    except (psycopg.Error, redis.RedisError, ValueError) as error:
        return f"no answer at {_VARIABLES[server]} ({type(error).__name__})"
    return ""


def _greet_postgres(address: str) -> None:
    psycopg.connect(address, connect_timeout=3).close()


def _greet_redis(address: str) -> None:
    with redis.Redis.from_url(address, socket_connect_timeout=3, socket_timeout=3) as server:
        server.ping()


_greet = {POSTGRES: _greet_postgres, REDIS: _greet_redis}
