"""The suite's own deployment: `manage.py serve` in front of a backend that says what it is told to."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conformance.subject import Stage, Subject
from tests.conformance.wire import Server
from tests.fake_backend import FakeBackend
from tests.support import environment
from tests.support.process import ServedProcess
from tests.support.waiting import eventually

Json = dict[str, Any]
API_KEY = "sk-of-the-server-0123456789"
MANAGER, GUEST, NOBODY = (
    f"{name}-0123456789-0123456789-0123456789" for name in ("manager", "guest", "nobody")
)
MODELS = ("up-plain", "up-dull", "up-embedding", "up-see", "up-vllm", "up-openai", "openai/gpt-4o")
CONTEXT_LENGTH = 8192
"""The backend tells it, as vLLM does."""
APPLY_S = 60.0
READY_S = 15.0


def configuration(fake: FakeBackend, down: FakeBackend) -> Json:
    """Write the configuration file: a model for every role, and three teams."""
    kinds = {"generic": fake, "vllm": fake, "openai": fake, "down": down}
    return {
        "version": 1,
        "backends": [_backend(name, where) for name, where in kinds.items()],
        "mappings": [
            _mapping("plain", "up-plain", ["completion", "tools", "thinking"]),
            _mapping("dull", "up-dull", ["completion"]),
            _mapping("emb", "up-embedding", ["embedding"]),
            _mapping("see", "up-see", ["completion", "vision"]),
            _mapping("plain-vllm", "up-vllm", ["completion", "tools", "thinking"], "vllm"),
            _mapping("plain-openai", "up-openai", ["completion", "tools", "thinking"], "openai"),
            _mapping("openai/gpt-4o", "openai/gpt-4o", ["completion", "tools"]),
            _mapping("down", "up-down", ["completion"], "down"),
            _mapping("fresh-*", "fresh-*", []),
        ],
        "teams": [
            _team("managers", MANAGER, ["*"], rights=["manage_models"]),
            _team("guests", GUEST, ["*"]),
            _team("nobodies", NOBODY, ["none"]),
        ],
    }


def _backend(name: str, where: FakeBackend) -> Json:
    dialect = name if name != "down" else "generic"
    return {"name": name, "base_url": where.base_url, "dialect": dialect, "api_keys": [{"value": API_KEY}]}


def _mapping(name: str, model: str, capabilities: list[str], backend: str = "generic") -> Json:
    return {"name": name, "capabilities": capabilities, "targets": [{"backend": backend, "model": model}]}


def _team(name: str, key: str, models: list[str], rights: Sequence[str] = ()) -> Json:
    entry: Json = {"name": "suite", "key": {"value": key}}
    if rights:
        entry["rights"] = list(rights)
    return {"name": name, "models": models, "keys": [entry]}


@contextmanager
def deployed() -> Iterator[Subject]:
    """Serve, and give the server with its stage."""
    listed = [{"id": name, "max_model_len": CONTEXT_LENGTH} for name in MODELS]
    with (
        tempfile.TemporaryDirectory(prefix="llamagate-conformance-") as made,
        FakeBackend(models=listed, require_key=API_KEY) as fake,
        FakeBackend() as down,
        ServedProcess(Path(made), LLAMAGATE_REQUIRE_KEY_ON_LOOPBACK="true") as process,
    ):
        down.stop_listening(drop=True)
        _apply(Path(made), configuration(fake, down))
        server = Server(f"http://127.0.0.1:{process.port}", MANAGER)
        subject = subject_of(server, fake)
        eventually(lambda: server.get("/api/tags").status == 200, READY_S, "the configuration's arrival")
        eventually(lambda: subject.chat(stream=False).status == 200, READY_S, "the first answer")
        yield subject


def _apply(directory: Path, config: Json) -> None:
    file = directory / "conformance.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    done = subprocess.run(
        [sys.executable, "manage.py", "apply", str(file)],
        cwd=environment.ROOT,
        env=environment.closed(DATA_DIR=str(directory)),
        capture_output=True,
        text=True,
        timeout=APPLY_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the configuration was refused:\n{done.stdout}{done.stderr}")


def subject_of(server: Server, fake: FakeBackend) -> Subject:
    """Put a server under the glass, with a backend under control behind it."""
    stage = Stage(
        fake=fake,
        api_key=API_KEY,
        listed=MODELS,
        vllm="plain-vllm",
        openai="plain-openai",
        vision="see",
        slashed="openai/gpt-4o",
        down="down",
        guest=server.with_key(GUEST),
        nobody=server.with_key(NOBODY),
    )
    return Subject(server, "plain", text_model="dull", embedding_model="emb", may_change=True, scripted=stage)
