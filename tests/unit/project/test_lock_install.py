"""Installing gives the locked versions, whatever an index has released since the lock was written.

For each lock a small index of wheels is made: every package in the locked version and in a newer one, with
the dependencies that the lock names ("via"), each of them by an extra, which makes a resolver look again.
"""

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e import client_environments
from tests.support import environment

NEWER = "9999.1"
EXTRA = "more"
INSTALL_S = 110.0
HEADER = re.compile(r"^([a-zA-Z0-9._-]+)(\[[^]]*\])?==([^ ;\\]+)([^\\]*)\\$")
PROJECT_LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-demo.txt")


class Locked(NamedTuple):
    """A package of a lock: name, version, environment marker, and who wants it."""

    name: str
    version: str
    marker: str
    wanted_by: list[str]


def read_lock(path: Path) -> list[Locked]:
    packages: list[Locked] = []
    for line in path.read_text().splitlines():
        if header := HEADER.match(line):
            packages.append(Locked(header[1], header[3], header[4].strip(" ;"), []))
        elif via := re.match(r"^    #(?: via| {2})(?: {1,2})?([a-z0-9][a-z0-9._-]*)$", line):
            packages[-1].wanted_by.append(via[1])
    return packages


def make_wheel(folder: Path, name: str, version: str, requires: list[str]) -> str:
    """Write a wheel with nothing in it but its metadata, once for all locks; give its SHA-256."""
    stem = f"{re.sub('[-_.]+', '_', name)}-{version}"
    info = f"{stem}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Provides-Extra: {EXTRA}"]
    files = {
        f"{info}/METADATA": "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={record_hash(text)},{len(text)}" for path, text in files.items()]
    wheel = folder / f"{stem}-py3-none-any.whl"
    if not wheel.exists():
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
            archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def make_index(folder: Path, lock: Path, written: Path) -> set[str]:
    """Make the wheels of a lock, write the same lock with their hashes; give what has to be installed."""
    packages = read_lock(lock)
    wants: dict[str, list[str]] = {one.name: [] for one in packages}
    for one in packages:
        for parent in one.wanted_by:
            if parent in wants:
                wants[parent].append(f"{one.name}[{EXTRA}]" + (f"; {one.marker}" if one.marker else ""))
    lines = []
    for one in packages:
        digest = make_wheel(folder, one.name, one.version, wants[one.name])
        make_wheel(folder, one.name, NEWER, wants[one.name])
        marker = f" ; {one.marker}" if one.marker else ""
        lines.append(f"{one.name}=={one.version}{marker} --hash=sha256:{digest}")
    written.write_text("\n".join([*lines, ""]))
    return {f"{normalise(one.name)}=={one.version}" for one in packages}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder of wheels that pip and uv see as the only index there is."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for program in ("PIP", "UV"):
        monkeypatch.setenv(f"{program}_NO_INDEX", "1")
        monkeypatch.setenv(f"{program}_FIND_LINKS", str(folder))
    yield folder


def list_installed(interpreter: Path) -> set[str]:
    """List what an environment holds, but for the installer."""
    code = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    printed = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=True)
    pairs = (one.partition("==") for one in printed.stdout.split())
    return {
        f"{normalise(name)}=={version}" for name, _, version in pairs if name not in ("pip", "setuptools")
    }


def normalise(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def check_versions(found: set[str], locked: set[str]) -> None:
    """Everything that was installed is of a locked version; only markers may keep a package away."""
    assert found <= locked
    assert len(found) > len(locked) * 0.8


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mark", [".installed-dev", ".installed-demo"])
def test_make_installs_the_locked_versions(mark: str, index: Path, tmp_path: Path) -> None:
    locked: set[str] = set()
    for name in PROJECT_LOCKS:
        versions = make_index(index, environment.ROOT / name, tmp_path / name)
        if name == "requirements.txt" or name.endswith(f"{mark.rpartition('-')[2]}.txt"):
            locked |= versions
    (tmp_path / "Makefile").write_text((environment.ROOT / "Makefile").read_text())
    command = ["make", "VENV=venv", f"PYTHON={sys.executable}", f"venv/{mark}"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    check_versions(list_installed(tmp_path / "venv/bin/python"), locked)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("client", client_environments.names())
def test_clients_of_end_to_end_tests_get_the_locked_versions(
    client: str, index: Path, tmp_path: Path
) -> None:
    written = tmp_path / "requirements.txt"
    locked = make_index(index, client_environments.CLIENTS / client / "requirements.txt", written)
    client_environments.make_environment(tmp_path / "venv", written)
    check_versions(list_installed(tmp_path / "venv/bin/python"), locked)


def test_no_install_command_resolves() -> None:
    """Whoever installs from a lock says `--no-deps`: a resolver may refuse a lock that is good."""
    files = ["Makefile", "Dockerfile", "console/demo_model.py", "tests/e2e/client_environments.py", ".ci/run"]
    for name in files:
        for line in (environment.ROOT / name).read_text().splitlines():
            assert "--require-hashes" not in line or "--no-deps" in line, f"{name}: {line.strip()}"
