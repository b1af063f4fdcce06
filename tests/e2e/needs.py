"""What these tests need beside Python. What is missing fails them, with the sentence that says what to do."""

import shutil
from pathlib import Path

import pytest

from console.demo_model import INSTALL, missing_packages

HERE = Path(__file__).resolve().parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """Give the path of the system's Chromium."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return found or _missing("Chromium is missing. On Debian: apt-get install chromium")


def curl() -> str:
    """Give the path of curl."""
    return shutil.which("curl") or _missing("curl is missing. On Debian: apt-get install curl")


def node() -> str:
    """Give the path of Node.js, once the client that its scripts import is installed too."""
    if not (HERE / "node_modules" / "ollama").is_dir():
        _missing("The npm client is missing. Run `make e2e`, or `npm ci` in tests/e2e")
    return shutil.which("node") or _missing("Node.js is missing. On Debian: apt-get install nodejs npm")


def demo_model() -> None:
    """See that the model can be served."""
    if missing_packages():
        _missing(f"The demo model is not installed. {INSTALL}")


def _missing(sentence: str) -> str:
    pytest.fail(sentence, pytrace=False)
