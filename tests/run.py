"""`make test`: the unit tests once, the integration tests on every database at hand, and a line per leg.

The legs run in parallel, since none keeps more than one core busy. The first one's output is shown as it
comes, the others' once they are over.

TEST_POSTGRES_URL and TEST_REDIS_URL name servers to test against. A leg whose server is not named, or does
not answer, is named in the last lines; with REQUIRE_SERVERS=1, as in CI, it is a failure.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

DEFAULT_PORTS = {"postgres": 5432, "postgresql": 5432, "redis": 6379}


@dataclass
class Leg:
    """One run of pytest."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    missing: str = ""
    """Why it cannot run."""
    code: int | None = None

    @property
    def verdict(self) -> str:
        if self.missing:
            return f"SKIPPED: {self.missing}"
        return "passed" if self.code == 0 else f"FAILED (exit code {self.code})"

    def start(self, output: IO[str] | None = None) -> subprocess.Popen[str] | None:
        """Start pytest; None when it cannot run. `output`: where it writes, if not here."""
        if self.missing:
            return None
        command = [sys.executable, "-m", "pytest", *self.arguments, *sys.argv[1:]]
        environment = os.environ | self.environment
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output, text=True)


def run(first: Leg, *others: Leg) -> None:
    """Run legs in parallel; the output of each stays together."""
    print(f"\n=== {first.name}", flush=True)
    with contextlib.ExitStack() as files:
        outputs = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in others]
        beside = [leg.start(output) for leg, output in zip(others, outputs, strict=True)]
        here = first.start()
        first.code = here.wait() if here else None
        for leg, process, output in zip(others, beside, outputs, strict=True):
            if process is None:
                continue
            print(f"\n=== {leg.name} (ran in parallel)", flush=True)
            leg.code = process.wait()
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout)


def why_missing(variable: str) -> str:
    """Say why the server that a variable names cannot be used; empty when it answers."""
    url = os.environ.get(variable, "")
    if not url:
        return f"{variable} is not set"
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORTS.get(parts.scheme, 0))
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError as error:
        return f"{variable}: {address[0]}:{address[1]} does not answer ({error})"
    return ""


def next_redis() -> str:
    """Give the Redis database after the one that is named: two legs at a time need two."""
    url = os.environ.get("TEST_REDIS_URL", "")
    parts = urlsplit(url)
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + 1}").geturl() if url else ""


def legs() -> list[Leg]:
    """List every leg."""
    postgres = os.environ.get("TEST_POSTGRES_URL", "")
    return [
        Leg("unit and integration, SQLite", [], {"DATABASE_URL": ""}),
        Leg(
            "integration, PostgreSQL",
            ["tests/integration"],
            # A leg that is not left out is not skipped test by test either.
            {"DATABASE_URL": postgres, "REQUIRE_SERVERS": "1", "TEST_REDIS_URL": next_redis()},
            missing=why_missing("TEST_POSTGRES_URL"),
        ),
    ]


def main() -> int:
    """Run the legs and sum up."""
    everything = legs()
    run(*everything)
    redis = why_missing("TEST_REDIS_URL")
    print("\n=== legs")
    for leg in everything:
        print(f"{leg.name}: {leg.verdict}")
    print(f"Redis parts: {f'SKIPPED: {redis}' if redis else 'ran with the legs above'}")
    must_have_all = os.environ.get("REQUIRE_SERVERS") == "1"
    failed = any(leg.code not in (0, None) for leg in everything)
    lacking = bool(redis) or any(leg.missing for leg in everything)
    return int(failed or (must_have_all and lacking))


if __name__ == "__main__":
    sys.exit(main())
