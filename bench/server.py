"""The server under test: `manage.py serve` as shipped, with a throw-away data directory."""

import os
from pathlib import Path

import yaml

from bench.processes import Processes, Started
from bench.upstream import MODELS

# Whatever else the caller's environment or a `.env` file says must not reach the server: we would measure
# something else, or write the benchmark's configuration into somebody's real database.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
UNSET = (
    "REDIS_URL",
    "SECRET_KEY",
    "CREDENTIAL_KEYS",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE_URL",
)


def configuration(upstream_port: int, api_key: str) -> str:
    """Return the configuration for `manage.py apply`: the upstream, its models and a client key."""
    target = {"backend": "bench", "priority": 1, "weight": 100}
    document: dict[str, object] = {
        "version": 1,
        "backends": [{"name": "bench", "base_url": f"http://127.0.0.1:{upstream_port}/v1"}],
        "mappings": [{"name": name, "targets": [target | {"model": name}]} for name in MODELS],
    }
    if api_key:
        document["teams"] = [
            {"name": "bench", "models": ["*"], "keys": [{"name": "bench", "key": {"value": api_key}}]}
        ]
    return yaml.dump(document, Dumper=_PlainDumper, sort_keys=False)


class _PlainDumper(yaml.SafeDumper):
    """Writes a repeated value out again instead of pointing back at it."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def environment(directory: Path, port: int) -> dict[str, str]:
    """Return the server's environment: SQLite in the given directory, one worker, loopback."""
    data = directory / "data"
    values = dict.fromkeys(UNSET, "") | {
        "DATA_DIR": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'bench.sqlite3'}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WORKERS": "1",
        # Else a key that did not arrive would go unseen, and the cheaper way without one would be measured.
        "LLAMAGATE_REQUIRE_KEY_ON_LOOPBACK": "true",
    }
    files = dict.fromkeys((f"{name}_FILE" for name in values), "")
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | files | values


def start(
    processes: Processes, directory: Path, port: int, upstream_port: int, api_key: str, core: int | None
) -> Started:
    """Start the server and give it its configuration."""
    variables = environment(directory, port)
    server = processes.start("server", ["manage.py", "serve", "--port", str(port)], core, variables)
    server.wait_for_port(port)
    file = directory / "bench.yaml"
    file.write_text(configuration(upstream_port, api_key))
    processes.run("apply", ["manage.py", "apply", str(file)], core, variables)
    return server
