"""First starts at the same moment on one directory: one sets the database up, the others wait for it."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console import provision
from tests.support import environment

TOGETHER = 3
# Waits after its imports, so that several of these begin at the same moment.
SETS_UP = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "proxy_site.settings"
import django
django.setup()
from console import provision
print("ready", flush=True)
sys.stdin.readline()
for line in provision.prepare_database():
    print(line)
from django.contrib.auth import get_user_model
from backends.models import Backend, ModelMapping
print("users", get_user_model().objects.count())
print("backends", Backend.objects.count(), ModelMapping.objects.count())
"""


@contextmanager
def begun(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    variables = environment.closed(DATA_DIR=str(data_dir), OPENAI_API_KEY="sk-first")
    with subprocess.Popen(
        [sys.executable, "-c", SETS_UP],
        cwd=environment.ROOT,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.sqlite
def test_first_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    with begun(tmp_path) as one, begun(tmp_path) as two, begun(tmp_path) as three:
        starts = (one, two, three)
        for process in starts:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in starts:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.communicate(timeout=50) for process in starts]
    assert [process.returncode for process in starts] == [0] * TOGETHER, told
    output = "".join(out for out, _ in told)
    assert output.count("users 1\n") == output.count("backends 1 1\n") == TOGETHER
    assert output.count("Admin user made") == output.count("made from OPENAI_API_KEY") == 1


@pytest.mark.sqlite
def test_a_start_waits_for_the_other_one(tmp_path: Path) -> None:
    lock = tmp_path / "llamagate.sqlite3.setup"
    with begun(tmp_path) as start, lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert start.stdin is not None
        assert start.stderr is not None
        start.stdin.write("go\n")
        start.stdin.flush()
        assert "another start sets this database up" in start.stderr.readline()
        assert not (tmp_path / "llamagate.sqlite3").exists()
        fcntl.flock(held, fcntl.LOCK_UN)
        out, _ = start.communicate(timeout=50)
    assert "users 1\n" in out


def test_the_lock_of_a_file_is_held_by_one(tmp_path: Path) -> None:
    inside: list[str] = []

    def second() -> None:
        with provision._file_lock(tmp_path / "lock"):
            inside.append("second")

    with provision._file_lock(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        inside.append("first")
    thread.join(5)
    assert inside == ["first", "second"]


def test_a_directory_that_is_none_is_the_databases_to_tell(tmp_path: Path) -> None:
    with provision._file_lock(tmp_path / "none" / "lock"):
        pass
    assert list(tmp_path.iterdir()) == []
