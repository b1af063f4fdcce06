"""SIGTERM while the product starts: no moment ignores it, and nothing is left behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import environment
from tests.support.process import READY, START_S

LIMIT_S = 25.0
"""Less than a parent waits for a worker that ignored the signal: its time to drain is 30 s."""

WORKER = """
import os, signal, sys
import django, uvicorn
from proxy_site import server

def interrupt(owner, name):
    # Sends itself a SIGTERM at a certain moment of the start.
    original = getattr(owner, name)
    def interrupted(*arguments, **named):
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments, **named)
    setattr(owner, name, interrupted)

django.setup()
interrupt(*{
    "before the loop": (uvicorn.Server, "run"),
    "in the loop": (uvicorn.Server, "serve"),
    "while it loads": (uvicorn.Config, "load"),
    "as it starts": (uvicorn.Server, "startup"),
}[sys.argv[1]])
server.run_worker(server.listen("127.0.0.1", 0))
"""
MOMENTS = ("before the loop", "in the loop", "while it loads", "as it starts")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.timeout(START_S + 30)
def test_a_worker_that_is_starting_ends(database: None, tmp_path: Path, moment: str) -> None:
    from tests.support import databases

    variables = {"DJANGO_SETTINGS_MODULE": "proxy_site.settings", "DATABASE_URL": databases.url()}
    ended = subprocess.run(
        [sys.executable, "-c", WORKER, moment],
        cwd=environment.ROOT,
        env=environment.closed(DATA_DIR=str(tmp_path), **variables),
        timeout=START_S,  # it would serve on for ever
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.timeout(START_S + 60)
def test_right_after_the_ready_line_it_ends_with_its_workers(
    database: None, tmp_path: Path, workers: str
) -> None:
    from tests.support import databases

    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--workers", workers],
        cwd=environment.ROOT,
        env=environment.closed(DATA_DIR=str(tmp_path), PORT="0", DATABASE_URL=databases.url()),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        while not READY.search(process.stdout.readline()):
            assert process.poll() is None
        process.terminate()
        process.communicate(timeout=LIMIT_S)  # until nobody holds its output any more, workers included
    # The signal may come before anything is there that could be drained.
    assert process.returncode in (0, -signal.SIGTERM)
