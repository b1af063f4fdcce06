"""The legs of a test run: SQLite, or PostgreSQL in a run of its own, and Redis where it is needed.

DATABASE_URL         a PostgreSQL server makes this run the PostgreSQL leg; without one it is on SQLite. The
                     tests make and drop databases of their own there
TEST_REDIS_URL       the server for the tests marked `redis`
REQUIRE_SERVERS=1    a server that is missing is an error, not a skipped leg
"""

import os
from functools import cache

import psycopg
import redis

POSTGRES, REDIS = "PostgreSQL", "Redis"

_VARIABLES = {POSTGRES: "DATABASE_URL", REDIS: "TEST_REDIS_URL"}
# Read before the product's variables are replaced.
_URLS = {server: os.environ.get(variable, "") for server, variable in _VARIABLES.items()}


def wants_postgres() -> bool:
    """Say whether this run is the PostgreSQL leg."""
    return url(POSTGRES).startswith("postgres")


def is_required() -> bool:
    """Say whether a missing server is an error."""
    return os.environ.get("REQUIRE_SERVERS", "") not in ("", "0")


def url(server: str) -> str:
    """Give the URL of a server, empty when there is none."""
    return _URLS[server]


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
