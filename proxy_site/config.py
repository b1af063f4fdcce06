"""Our own settings, read once from the environment (or a `.env` file, or NAME_FILE).

Apps below read them as `django.conf.settings.PROXY`; only `proxy_site` imports this module.
Units are in the names: `_s` seconds, `_bytes` bytes.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from environs import EnvError, FileAwareEnv

BASE_DIR = Path(__file__).resolve().parent.parent

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]_~-]+(?:/[A-Za-z0-9._~/-]*)?")
"""No credentials, no query: it is told to everybody."""
RENAMED_VARIABLES = {"LLAMAGATE_FIRST_EVENT_TIMEOUT_S": "LLAMAGATE_FIRST_TOKEN_TIMEOUT_S"}
"""Former name -> name. A former one is read for one release; the checks at the start tell of it."""

LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


@dataclass(frozen=True)
class ProxyConfig:
    """Everything about Llamagate that is not Django's."""

    host: str
    port: int
    workers: int
    data_dir: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    credential_keys: tuple[str, ...] = field(repr=False)
    allowed_hosts: tuple[str, ...]
    origins: tuple[str, ...]
    require_key_on_loopback: bool
    serve_without_keys: bool
    ollama_version: str
    public_url: str
    """By which clients reach this server, without a final slash; "" if they say it themselves (Host)."""
    max_body_bytes: int
    admin_max_body_bytes: int
    max_bodies_bytes: int
    max_header_bytes: int
    max_headers: int
    head_timeout_s: float
    body_idle_timeout_s: float
    body_timeout_s: float
    keep_alive_s: float
    max_connections: int
    max_connections_per_address: int
    database_timeout_s: float
    snapshot_poll_s: float
    model_list_ttl_s: float
    connect_timeout_s: float
    first_token_timeout_s: float
    idle_timeout_s: float
    request_timeout_s: float
    max_attempts: int
    breaker_failures: int
    breaker_pause_s: float
    max_answer_bytes: int
    max_gathered_bytes: int
    drain_timeout_s: float
    trusted_proxies: tuple[Network, ...]
    login_failures: int
    login_lockout_s: float
    session_idle_s: float
    session_max_s: float
    former_variables: tuple[str, ...]
    """Those of `RENAMED_VARIABLES` that are set."""

    @property
    def is_shared(self) -> bool:
        """Whether other replicas may share our state: then secrets must be given, never made."""
        return bool(self.redis_url) or not self.database_url.startswith("sqlite")

    @cached_property
    def is_bound_to_loopback(self) -> bool:
        """Whether only this machine can reach the address that we were told to bind."""
        return is_loopback(self.host)

    def with_changes(self, **changes: Any) -> ProxyConfig:
        """Give a copy with other values."""
        return replace(self, **changes)


@lru_cache(maxsize=16)
def is_loopback(host: str) -> bool:
    """Say whether an address or name means this machine only."""
    if host.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_environment() -> FileAwareEnv:
    """Open the environment, with `.env` (or LLAMAGATE_ENV_FILE) behind it: what is already set wins."""
    env = FileAwareEnv(strip_whitespace=True)  # a file ends with a newline, a secret does not
    env.read_env(os.environ.get("LLAMAGATE_ENV_FILE") or str(BASE_DIR / ".env"), recurse=False)
    return env


def load(env: FileAwareEnv) -> ProxyConfig:
    """Read every setting of ours. A wrong value raises with the variable's name."""
    data_dir = Path(env.str("DATA_DIR", str(BASE_DIR / "data"))).expanduser().absolute()
    return ProxyConfig(
        host=env.str("HOST", "127.0.0.1"),
        port=env.int("PORT", 11434),
        workers=env.int("WORKERS", 1),
        data_dir=data_dir,
        database_url=env.str("DATABASE_URL", "") or f"sqlite:///{data_dir / 'llamagate.sqlite3'}",
        redis_url=env.str("REDIS_URL", ""),
        secret_key=env.str("SECRET_KEY", "") or _read_secret(data_dir / "secret_key"),
        credential_keys=_credential_keys(env, data_dir),
        allowed_hosts=tuple(env.list("ALLOWED_HOSTS", [])),
        origins=tuple(env.list("OLLAMA_ORIGINS", [])),
        require_key_on_loopback=env.bool("LLAMAGATE_REQUIRE_KEY_ON_LOOPBACK", False),
        serve_without_keys=env.bool("LLAMAGATE_SERVE_ANYONE_WITHOUT_A_KEY", False),
        ollama_version=env.str("LLAMAGATE_OLLAMA_VERSION", "0.33.0"),
        public_url=_public_url(env, "LLAMAGATE_PUBLIC_URL"),
        max_body_bytes=env.int("LLAMAGATE_MAX_BODY_BYTES", 64 * 1024 * 1024),
        admin_max_body_bytes=env.int("LLAMAGATE_ADMIN_MAX_BODY_BYTES", 10 * 1024 * 1024),
        max_bodies_bytes=env.int("LLAMAGATE_MAX_BODIES_BYTES", 256 * 1024 * 1024),
        max_header_bytes=env.int("LLAMAGATE_MAX_HEADER_BYTES", 16 * 1024),
        max_headers=env.int("LLAMAGATE_MAX_HEADERS", 100),
        head_timeout_s=env.float("LLAMAGATE_HEAD_TIMEOUT_S", 15.0),
        body_idle_timeout_s=env.float("LLAMAGATE_BODY_IDLE_TIMEOUT_S", 15.0),
        body_timeout_s=env.float("LLAMAGATE_BODY_TIMEOUT_S", 60.0),
        keep_alive_s=env.float("LLAMAGATE_KEEP_ALIVE_S", 100.0),
        max_connections=env.int("LLAMAGATE_MAX_CONNECTIONS", 0),
        max_connections_per_address=env.int("LLAMAGATE_MAX_CONNECTIONS_PER_ADDRESS", 0),
        database_timeout_s=env.float("LLAMAGATE_DATABASE_TIMEOUT_S", 15.0),
        snapshot_poll_s=env.float("LLAMAGATE_SNAPSHOT_POLL_S", 0.5),
        model_list_ttl_s=env.float("LLAMAGATE_MODEL_LIST_TTL_S", 60.0),
        connect_timeout_s=env.float("LLAMAGATE_CONNECT_TIMEOUT_S", 5.0),
        first_token_timeout_s=_float(env, "LLAMAGATE_FIRST_TOKEN_TIMEOUT_S", 120.0),
        idle_timeout_s=env.float("LLAMAGATE_IDLE_TIMEOUT_S", 60.0),
        request_timeout_s=env.float("REQUEST_TIMEOUT", 600.0),
        max_attempts=env.int("LLAMAGATE_MAX_ATTEMPTS", 3),
        breaker_failures=env.int("LLAMAGATE_BREAKER_FAILURES", 5),
        breaker_pause_s=env.float("LLAMAGATE_BREAKER_PAUSE_S", 10.0),
        max_answer_bytes=env.int("LLAMAGATE_MAX_ANSWER_BYTES", 64 * 1024 * 1024),
        max_gathered_bytes=env.int("LLAMAGATE_MAX_GATHERED_BYTES", 16 * 1024 * 1024),
        drain_timeout_s=env.float("LLAMAGATE_DRAIN_TIMEOUT_S", 30.0),
        trusted_proxies=_networks(env, "LLAMAGATE_TRUSTED_PROXIES"),
        login_failures=env.int("LLAMAGATE_LOGIN_FAILURES", 5),
        login_lockout_s=env.float("LLAMAGATE_LOGIN_LOCKOUT_S", 900.0),
        session_idle_s=env.float("LLAMAGATE_SESSION_IDLE_S", 8 * 3600.0),
        session_max_s=env.float("LLAMAGATE_SESSION_MAX_S", 7 * 24 * 3600.0),
        former_variables=tuple(name for name in RENAMED_VARIABLES if env.str(name, "")),
    )


def _float(env: FileAwareEnv, name: str, default: float) -> float:
    """Read a number of a variable that had another name once, or of that one."""
    (former,) = (before for before, now in RENAMED_VARIABLES.items() if now == name)
    given: float = env.float(name if env.str(name, "") else former, default)
    return given


def _read_secret(path: Path) -> str:
    """Read a secret that the first start left in the data directory, or nothing."""
    return path.read_text().strip() if path.is_file() else ""


def _public_url(env: FileAwareEnv, name: str) -> str:
    """Read a URL such as `https://llm.example.com`, with a path or without."""
    given: str = env.str(name, "").rstrip("/")
    if given and not PUBLIC_URL.fullmatch(given):
        raise EnvError(f'Environment variable "{name}" invalid: no URL such as https://llm.example.com')
    return given


def _networks(env: FileAwareEnv, name: str) -> tuple[Network, ...]:
    """Read addresses and networks, such as `10.0.0.5,192.168.7.0/24`."""
    try:
        given: list[str] = env.list(name, [])
        return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in given)
    except ValueError as error:
        raise EnvError(f'Environment variable "{name}" invalid: {error}') from None


def _credential_keys(env: FileAwareEnv, data_dir: Path) -> tuple[str, ...]:
    given = env.str("CREDENTIAL_KEYS", "") or _read_secret(data_dir / "credential_keys")
    return tuple(key.strip() for key in given.replace("\n", ",").split(",") if key.strip())
