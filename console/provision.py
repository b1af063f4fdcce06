"""What a first start puts into the database: tables, an admin, a backend from the environment, the demo."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import structlog
from django.contrib.auth import get_user_model
from django.core.files import locks
from django.core.management import call_command
from django.db import connection

from backends import services
from backends.checks import MOVE, RENAME, list_name_conflicts, list_plain_secrets
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from backends.wire.dialects import of_address
from core import database, upgrade

log = structlog.get_logger("llamagate.provision")

OPENAI_URL = "https://api.openai.com/v1"
DEMO = "demo"
# Any number that nobody else uses on this database server for an advisory lock.
SETUP_LOCK = 0x11A4A6A7E


def prepare_database() -> Iterator[str]:
    """Migrate, and make what is missing. Gives lines for the operator as they come up. Replicas take turns.

    Raises:
        upgrade.UpgradeRefused: the database is newer than this code, or cannot be copied first.
    """
    with _one_at_a_time():
        if line := upgrade.prepare():
            yield line  # before the migration: whoever sees that fail has to know of the copy
        call_command("migrate", interactive=False, verbosity=0)
        with services.exclusive():
            made = [*create_admin(), *backend_from_environment()]
    yield from made
    yield from (f"Warning: {sentence}. {MOVE}" for sentence in list_plain_secrets())
    yield from (f"Warning: {sentence}. {RENAME}" for sentence in list_name_conflicts())


def create_admin() -> list[str]:
    """Make the first user with a random password, told once. ADMIN_PASSWORD chooses it."""
    users = get_user_model().objects
    if users.exists():
        return []
    given = os.environ.get("ADMIN_PASSWORD", "")
    password = given or secrets.token_urlsafe(12)
    users.create_superuser(username="admin", password=password)
    hint = "the one in ADMIN_PASSWORD" if given else password
    return [
        f"Admin user made. Name: admin  Password: {hint}  (shown once; change it at /admin/password_change/)"
    ]


def backend_from_environment() -> list[str]:
    """Make a backend and a `*` mapping of OPENAI_API_KEY and its URL, if there is no backend yet."""
    key = os.environ.get("OPENAI_API_KEY", "")
    if not key or Backend.objects.exists():
        return []
    url = os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE_URL") or OPENAI_URL
    kind = of_address(url)
    name = kind.name if kind.base_url or kind.hosts else "default"
    backend = Backend(name=name, base_url=url, dialect=kind.name)
    services.save_backend(backend, keys=[Credential(backend=backend, label="OPENAI_API_KEY", secret=key)])
    map_everything(backend)
    return [f"Backend {name} made from OPENAI_API_KEY: every model of {url} is served under its own name."]


def add_demo(base_url: str, model: str) -> None:
    """Point the backend of the demo at this run's server, and make the mappings on the first run."""
    with services.exclusive():
        stored = Backend.objects.filter(name=DEMO).first()
        backend = stored or Backend(name=DEMO)
        backend.base_url, backend.dialect, backend.enabled = base_url, "llamacpp", True
        services.save_backend(backend, fields=["base_url", "dialect", "enabled"] if stored else None)
        _map_once(ModelMapping(name=model, capabilities=["completion"]), backend, model)


def map_everything(backend: Backend) -> None:
    """Map `*` to a backend, unless there is such a mapping."""
    _map_once(ModelMapping(name="*"), backend, "*")


def _map_once(mapping: ModelMapping, backend: Backend, model: str) -> None:
    if services.find_mapping(mapping.name) is None:
        services.save_mapping(mapping, targets=[MappingTarget(backend=backend, model=model)])


def _one_at_a_time() -> AbstractContextManager[None]:
    """Hold a lock of the database: replicas that start together migrate one after the other."""
    if connection.vendor == "postgresql":
        return _server_lock()
    file = upgrade.database_file()
    return _file_lock(file.with_name(f"{file.name}.setup")) if file else nullcontext()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Hold a lock beside the file of the database. It stays: without it two could hold one each."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # no such directory, or not ours to write: the database says it better
        yield
        return
    with os.fdopen(handle, "w") as file:
        if not locks.lock(file, locks.LOCK_EX | locks.LOCK_NB):
            log.info("another start sets this database up: waiting for it")
            locks.lock(file, locks.LOCK_EX)
        yield  # the lock ends with the file, and with the process


@contextmanager
def _server_lock() -> Iterator[None]:
    with connection.cursor() as cursor:
        with database.lift_statement_limit():  # another replica's migrations may take their time
            cursor.execute("SELECT pg_advisory_lock(%s)", [SETUP_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [SETUP_LOCK])
