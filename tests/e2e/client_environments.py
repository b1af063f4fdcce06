"""A virtual environment for each client under `clients`, so that none of them constrains the project."""

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.support import environment

CLIENTS = Path(__file__).resolve().parent / "clients"
BUILD = environment.ROOT / "build" / "clients"
INSTALL_S = 240.0


def names() -> list[str]:
    """List the clients: the folders that hold pinned requirements."""
    return sorted(pinned.parent.name for pinned in CLIENTS.glob("*/requirements.txt"))


def python(name: str) -> Path:
    """Give the interpreter of a client's environment, which is made on first use and kept for all runs."""
    requirements = CLIENTS / name / "requirements.txt"
    where = BUILD / name
    mark, wanted = where / "installed-from", hashlib.sha256(requirements.read_bytes()).hexdigest()
    interpreter = where / "bin" / "python"
    if not (interpreter.exists() and mark.exists() and mark.read_text() == wanted):
        make_environment(where, requirements)
        mark.write_text(wanted)  # last: an installation that was interrupted is begun anew
    return interpreter


def make_environment(where: Path, requirements: Path) -> None:
    print(f"\nInstalling the client {where.name} (once) ...", flush=True)
    _uv("venv", "--clear", "--python", sys.executable, str(where))
    _uv("pip", "install", "--python", str(where), "--require-hashes", "--no-deps", "-r", str(requirements))


def _uv(*arguments: str) -> None:
    command = [str(Path(sys.executable).parent / "uv"), "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    assert done.returncode == 0, f"uv {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
