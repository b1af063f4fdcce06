"""What these tests need beside Python. What is missing fails them, with the sentence that says what to do."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from console.demo_model import INSTALL, missing_packages

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "js"
"""A folder for each JavaScript client, with an environment of its own."""
NODE_VERSION = 20
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """Give the path of the system's Chromium."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return found or _missing("Chromium is missing. On Debian: apt-get install chromium")


def curl() -> str:
    """Give the path of curl."""
    return shutil.which("curl") or _missing("curl is missing. On Debian: apt-get install curl")


def node(client: str) -> str:
    """Give the path of Node.js, once what the client's scripts import is installed too."""
    if not (SCENARIOS / client / "node_modules").is_dir():
        _missing(f"The npm packages are missing. Run `make e2e`, or `npm ci` in tests/e2e/js/{client}")
    return node_itself()


def node_itself() -> str:
    """Give the path of Node.js."""
    return _new_node() or _missing(
        f"Node.js {NODE_VERSION} or newer is missing. On Debian 13: apt-get install nodejs npm"
    )


@cache
def _new_node() -> str | None:
    if (found := shutil.which("node")) is None:
        return None
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    return found if int(version.lstrip("v").split(".")[0]) >= NODE_VERSION else None


def demo_model() -> None:
    """See that the model can be served."""
    if missing_packages():
        _missing(f"The demo model is not installed. {INSTALL}")


def _missing(sentence: str) -> str:
    pytest.fail(sentence, pytrace=False)
