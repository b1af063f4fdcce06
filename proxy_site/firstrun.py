"""What a first start needs: a data directory and two secrets, each made once, mode 0600.

They are never made when PostgreSQL or Redis is configured: two replicas would each invent their own,
and neither could read what the other one sealed.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cryptography.fernet import Fernet

from proxy_site import config

# Commands after which a server or a route exists; all others leave the disk alone (an image build must
# not bake a key into a layer).
FIRST_RUN_COMMANDS = frozenset({"serve", "apply", "runserver"})

HOW_TO_MAKE: dict[str, str] = {
    "SECRET_KEY": 'python3 -c "import secrets; print(secrets.token_urlsafe(50))"',
    "CREDENTIAL_KEYS": (
        'python3 -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
    ),
}


def before_settings(argv: Sequence[str]) -> None:
    """Honour `--data-dir`, then make what is missing for the commands that serve."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--data-dir")
    known, _ = flags.parse_known_args(list(argv[2:]))
    if known.data_dir:
        os.environ["DATA_DIR"] = known.data_dir
    command = "" if {"-h", "--help"} & set(argv) else next(iter(argv[1:]), "")
    if command in FIRST_RUN_COMMANDS:
        ensure_secrets(config.load(config.read_environment()))
    elif command == "migrate":
        _make_data_dir(config.load(config.read_environment()))


def ensure_secrets(proxy: config.ProxyConfig) -> None:
    """Make the secrets that a lone SQLite server lacks; refuse where replicas need to be given them."""
    missing = _missing(proxy)
    if missing and proxy.is_shared:
        sys.exit(_explain(missing))
    _make_data_dir(proxy)
    for name, make in missing.items():
        _write_once(proxy.data_dir / name.lower(), make())


def _make_data_dir(proxy: config.ProxyConfig) -> None:
    """Make the home of the SQLite database and of the secrets, for nobody else to read."""
    if not proxy.is_shared:
        proxy.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def _missing(proxy: config.ProxyConfig) -> dict[str, Callable[[], str]]:
    makers: dict[str, Callable[[], str]] = {}
    if not proxy.secret_key:
        makers["SECRET_KEY"] = lambda: secrets.token_urlsafe(50)
    if not proxy.credential_keys:
        makers["CREDENTIAL_KEYS"] = lambda: Fernet.generate_key().decode()
    return makers


def _explain(missing: Iterable[str]) -> str:
    lines = ["With PostgreSQL or Redis every replica must be given the same secrets. Missing:"]
    lines += [f"  {name} (or {name}_FILE). Make one with: {HOW_TO_MAKE[name]}" for name in missing]
    return "\n".join(lines)


def _write_once(path: Path, secret: str) -> None:
    """Appear whole or not at all: of two servers that start together one makes the key, both use it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secret + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
