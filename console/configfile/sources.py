"""Where the file's secrets are fetched from. A message here names the place of a secret, never a secret."""

from __future__ import annotations

import os
from pathlib import Path

from backends.validators import SECRET_PATTERN
from console.configfile.schema import Secret

MAX_SECRET_BYTES = 64 * 1024


class SourceError(Exception):
    """A secret cannot be had."""

    def __init__(self, source: str, message: str, *, absent: bool = False) -> None:
        super().__init__(message)
        self.source = source
        """env, file or value."""
        self.absent = absent
        """Whether there is nothing at that place, rather than something wrong."""


def fetch(secret: Secret, base: Path) -> str:
    """Give the secret; relative files are relative to `base`.

    Raises:
        SourceError: there is none, or it cannot be one.
    """
    if secret.env is not None:
        source, text = "env", _from_environment(secret.env)
    elif secret.file is not None:
        source, text = "file", _from_file(base / secret.file)
    else:
        source, text = "value", (secret.value or "").strip()
    if not text:
        raise SourceError(source, "is empty: give the secret.")
    if not SECRET_PATTERN.fullmatch(text):
        raise SourceError(source, "is no key: a key is printable ASCII without spaces, on one line.")
    return text


def _from_environment(name: str) -> str:
    text = os.environ.get(name, "").strip()
    if not text:
        raise SourceError("env", f"the environment variable {name} is not set: set it.", absent=True)
    return text


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES)
        return raw.decode().strip()
    except FileNotFoundError:
        raise SourceError("file", f"there is no file {path}: make it.", absent=True) from None
    except OSError as error:
        raise SourceError("file", f"{path} cannot be read: {error.strerror or error}.") from None
    except (UnicodeDecodeError, ValueError):
        raise SourceError("file", f"{path} is not text.") from None
