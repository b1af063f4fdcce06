"""The environment that the product is tested in: nothing of the developer's shell or `.env` gets in."""

import os
import re
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Every variable that the product reads, each also as NAME_FILE.
OF_THE_PRODUCT = re.compile(
    r"(LLAMAGATE_\w+|OPENAI_\w+|HOST|PORT|WORKERS|DATA_DIR|DATABASE_URL|REDIS_URL|SECRET_KEY|CREDENTIAL_KEYS"
    r"|ALLOWED_HOSTS|OLLAMA_ORIGINS|REQUEST_TIMEOUT|DEBUG|LOG_LEVEL|LOG_FORMAT|STATIC_ROOT"
    r"|CSRF_TRUSTED_ORIGINS|ADMIN_PASSWORD|DJANGO_SETTINGS_MODULE)(_FILE)?"
)
SETTINGS = {
    "LLAMAGATE_ENV_FILE": os.devnull,
    "SECRET_KEY": "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM",
    "CREDENTIAL_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "ADMIN_PASSWORD": "only for tests",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
}

# One for the whole run; gone when the interpreter ends.
_data = tempfile.TemporaryDirectory(prefix="llamagate-tests-", ignore_cleanup_errors=True)
DATA_DIR = Path(_data.name)


def closed(**more: str) -> dict[str, str]:
    """Give the environment of a child process: the machine's, with the product's variables replaced."""
    kept = {name: value for name, value in os.environ.items() if not OF_THE_PRODUCT.fullmatch(name)}
    if kept.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Compiling everything anew at each start costs seconds: written after all, but elsewhere.
        kept["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "bytecode")
    return kept | SETTINGS | more


def enter() -> None:
    """Replace the product's variables in this process; before its settings are read."""
    for name in list(os.environ):
        if OF_THE_PRODUCT.fullmatch(name) and name != "DJANGO_SETTINGS_MODULE":
            del os.environ[name]
    # A short drain: a server that waits for what a failed test left behind helps nobody.
    os.environ.update(SETTINGS, DATA_DIR=str(DATA_DIR), LLAMAGATE_DRAIN_TIMEOUT_S="1")


def leave() -> None:
    """Remove the data directory."""
    _data.cleanup()
