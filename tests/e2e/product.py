"""The product as a newcomer runs it, and what a newcomer types beside it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fake_backend import Script, scripts
from tests.support import environment
from tests.support.process import ServedProcess

API_KEY = "sk-only-for-tests-0123456789"
MODELS = ("gpt-4o-mini", "text-embedding-3-small")
"""What the backend behind the gateway lists; the first is the README's."""
FAULTY: dict[str, Script] = {
    "bad-request": scripts.status(400),
    "refused-key": scripts.status(401),
    "too-many": scripts.rate_limited(),
    "broken": scripts.status(500),
    "cut": scripts.cut_mid_stream(after=2),
}
"""Models that fail, for clients in processes of their own: they cannot say what the backend is to do."""

# As good as unset: a first start makes what is missing.
NOTHING_GIVEN = {"SECRET_KEY": "", "CREDENTIAL_KEYS": "", "ADMIN_PASSWORD": ""}
PASSWORD = re.compile(r"^Admin user made\. Name: (\S+)  Password: (\S+) ", re.MULTILINE)
COMMAND_S = 45.0


class Newcomer(ServedProcess):
    """One `manage.py serve` that was told nothing but what the test says."""

    def __init__(self, directory: Path, *arguments: str, **variables: str) -> None:
        super().__init__(directory, *arguments, **NOTHING_GIVEN | variables)
        self.directory = directory

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def admin(self) -> tuple[str, str]:
        """The name and the password that it printed."""
        name, password = PASSWORD.findall(self.output)[0]
        return name, password

    def printed(self, beginning: str) -> str:
        """Give the one line that begins so."""
        (line,) = (line for line in self.output.splitlines() if line.startswith(beginning))
        return line

    @property
    def troubles(self) -> list[str]:
        """Give what no run should write."""
        lines = self.output.splitlines()
        return [line for line in lines if '"level":"error"' in line or line.startswith("Traceback")]


def shell(command: str, **variables: str) -> str:
    """Run a line as it stands in a terminal where the virtual environment is active; give what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return _run(["sh", "-c", command], environment.closed(PATH=path, **variables))


def manage(*arguments: str, **variables: str) -> str:
    """Run another command of the product; give what it prints."""
    return _run([sys.executable, "manage.py", *arguments], environment.closed(**variables))


def _run(command: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=environment.ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
