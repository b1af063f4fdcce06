"""The secrets of a first start: made once, for one server, readable by its user only."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from proxy_site import config, firstrun
from tests.unit.proxy_site.test_config import environment

# Waits after its imports, so that several of these begin at the same moment.
STARTS = """
import sys
from proxy_site import config, firstrun
print("ready", flush=True)
sys.stdin.readline()
firstrun.ensure_secrets(config.load(config.read_environment()))
proxy = config.load(config.read_environment())
print(proxy.secret_key, *proxy.credential_keys)
"""


def start(data_dir: Path, **variables: str) -> config.ProxyConfig:
    """Start as `manage.py serve` does, and read the settings that follow."""
    with environment(DATA_DIR=str(data_dir), **variables):
        firstrun.before_settings(["manage.py", "serve"])
        return config.load(config.read_environment())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_start_makes_both_secrets_for_its_user_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    old_mask = os.umask(0)
    try:
        found = start(data_dir)
    finally:
        os.umask(old_mask)
    assert sorted(path.name for path in data_dir.iterdir()) == ["credential_keys", "secret_key"]
    assert mode(data_dir) == 0o700
    assert mode(data_dir / "secret_key") == mode(data_dir / "credential_keys") == 0o600
    assert len(found.secret_key) >= 50
    Fernet(found.credential_keys[0])


def test_the_second_start_uses_what_the_first_one_made(tmp_path: Path) -> None:
    assert start(tmp_path) == start(tmp_path)


def test_two_servers_have_different_secrets(tmp_path: Path) -> None:
    first, second = start(tmp_path / "a"), start(tmp_path / "b")
    assert first.secret_key != second.secret_key
    assert first.credential_keys != second.credential_keys


def test_what_is_given_is_not_made(tmp_path: Path) -> None:
    start(tmp_path, SECRET_KEY="given", CREDENTIAL_KEYS=Fernet.generate_key().decode())
    assert list(tmp_path.iterdir()) == []
    start(tmp_path, SECRET_KEY="given")
    assert [path.name for path in tmp_path.iterdir()] == ["credential_keys"]


def test_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with environment(DATA_DIR=str(data_dir), PATH=os.environ["PATH"], PYTHONPATH=str(config.BASE_DIR)):
        starting = [
            subprocess.Popen(
                [sys.executable, "-c", STARTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(3)
        ]
    try:
        for process in starting:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        used = {process.communicate("go\n", timeout=30)[0] for process in starting}
    finally:
        for process in starting:
            process.kill()
            process.wait()
    assert len(used) == 1
    assert len(used.pop().split()) == 2
    assert sorted(path.name for path in data_dir.iterdir()) == ["credential_keys", "secret_key"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_who_comes_second_takes_the_secret_of_the_first(tmp_path: Path, moment: str) -> None:
    """However the two interleave: the file is there whole, or not at all."""
    path = tmp_path / "secret_key"
    draft = tmp_path / f".secret_key.{os.getpid() + 1}"
    draft.write_text("of the other server\n")
    if moment == "before":
        os.link(draft, path)
    firstrun._write_once(path, "ours")
    expected = "of the other server\n" if moment == "before" else "ours\n"
    assert path.read_text() == expected
    assert {found.name for found in tmp_path.iterdir()} == {path.name, draft.name}


@pytest.mark.parametrize(
    "variables", [{"DATABASE_URL": "postgres://db.example/x"}, {"REDIS_URL": "redis://cache.example/0"}]
)
def test_replicas_are_told_to_bring_their_secrets(tmp_path: Path, variables: dict[str, str]) -> None:
    with pytest.raises(SystemExit) as refused:
        start(tmp_path / "data", **variables)
    told = str(refused.value.code)
    for name in ("SECRET_KEY", "CREDENTIAL_KEYS"):
        assert f"{name} (or {name}_FILE)" in told
    assert not (tmp_path / "data").exists()


def test_the_advice_for_replicas_makes_secrets_that_fit(tmp_path: Path) -> None:
    made = {
        name: subprocess.run(
            command.replace("python3", sys.executable, 1),
            shell=True,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name, command in firstrun.HOW_TO_MAKE.items()
    }
    assert len(made["SECRET_KEY"]) >= 50
    found = start(tmp_path, DATABASE_URL="postgres://db.example/x", **made)
    Fernet(found.credential_keys[0])
    assert list(tmp_path.iterdir()) == []


def test_only_one_missing_secret_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        start(tmp_path, REDIS_URL="redis://cache.example/0", SECRET_KEY="given")
    assert "CREDENTIAL_KEYS (or" in str(refused.value.code)
    assert "SECRET_KEY (or" not in str(refused.value.code).replace("CREDENTIAL_KEYS", "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["collectstatic", "--noinput"],
        ["serve", "--help"],
        ["serve", "-h"],
        ["export"],
    ],
)
def test_commands_that_serve_nothing_leave_the_disk_alone(tmp_path: Path, arguments: list[str]) -> None:
    with environment(DATA_DIR=str(tmp_path / "data")):
        firstrun.before_settings(["manage.py", *arguments])
    assert list(tmp_path.iterdir()) == []


def test_a_migration_makes_the_place_for_its_database_and_no_secret(tmp_path: Path) -> None:
    with environment(DATA_DIR=str(tmp_path / "data")):
        firstrun.before_settings(["manage.py", "migrate"])
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("flag", [["--data-dir", "{}"], ["--data-dir={}"]])
def test_the_flag_for_the_data_directory_wins_over_the_variable(tmp_path: Path, flag: list[str]) -> None:
    chosen = tmp_path / "chosen"
    with environment(DATA_DIR=str(tmp_path / "not-this")):
        firstrun.before_settings(
            ["manage.py", "serve", *(part.format(chosen) for part in flag), "--port", "1"]
        )
        assert config.load(config.read_environment()).data_dir == chosen
    assert [path.name for path in tmp_path.iterdir()] == ["chosen"]
