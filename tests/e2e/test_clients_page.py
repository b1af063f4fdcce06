"""`docs/clients.md`: what it shows is run as it stands, and other programs are replayed, all with a key."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend
from tests.support import environment

from . import client_environments as clients
from . import needs
from .product import API_KEY, FAULTY, MODELS, Newcomer, manage, shell
from .replays import REPLAYS, Replay, play
from .replays.stacks import Stack

PAGE = (environment.ROOT / "docs" / "clients.md").read_text()
BLOCK = re.compile(r"<!-- run: (\S+) -->\n```\w+\n(.*?)\n```", re.DOTALL)
FILE = re.compile(r"<!-- file: (\S+) (\S+) -->\n```\w+\n(.*?)\n```", re.DOTALL)
BLOCKS = [(found[1], found[2]) for found in BLOCK.finditer(PAGE)]
SECRET = "lg-a1b2c3d4-only-for-tests-0123456789-abc"
ANOTHER = "lg-a1b2c3d4-another-0123456789-0123456789"
KEY = {"name": "page", "key": {"value": SECRET}, "rights": ["manage_models"]}
WITH_INSTALLATION_S = 2 * clients.INSTALL_S + 60
BLOCK_S = 60.0
AGENTS = Path(__file__).resolve().parent / "agents"
"""Programs of hundreds of megabytes: they are run where `make agents` has installed them."""
REPLAYED = {
    "claude_code": "Claude Code",
    "codex": "Codex",
    "command_line": "`ollama`",
    "continue_dev": "Continue",
    "enchanted": "Enchanted",
    "home_assistant": "Home Assistant",
    "jetbrains": "JetBrains AI Assistant",
    "n8n": "n8n",
    "open_webui": "Open WebUI",
    "vscode": "GitHub Copilot in VS Code",
    "zed": "Zed",
}
"""The modules of `replays`, and what the page calls their client."""
OF_A_KEY = re.compile(r"^(authorization|x-api-key):", re.IGNORECASE)


@pytest.fixture(scope="module")
def closed_backend() -> Iterator[FakeBackend]:
    with FakeBackend(models=(*MODELS, *FAULTY), require_key=API_KEY) as fake:
        yield fake


@pytest.fixture(scope="module")
def closed(closed_backend: FakeBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A server that demands keys, and has one."""
    where = tmp_path_factory.mktemp("closed")
    team = {"name": "research", "models": ["*"], "keys": [KEY]}
    (where / "team.yaml").write_text(json.dumps({"version": 1, "teams": [team]}))
    with Newcomer(
        where,
        OPENAI_API_KEY=API_KEY,
        OPENAI_BASE_URL=closed_backend.base_url,
        LLAMAGATE_REQUIRE_KEY_ON_LOOPBACK="true",
    ) as product:
        manage("apply", str(where / "team.yaml"), DATA_DIR=str(where))
        yield product
        assert not product.troubles
        assert SECRET not in product.output


def run_block(where: str, code: str, home: Path) -> str:
    """Run a block of the page in its client's environment; give what it prints. `home` is an agent's."""
    if where == "shell":
        needs.curl()
        return shell(code)
    if where.startswith("js/"):
        client = where.removeprefix("js/")
        return _run([needs.node(client), "--input-type=module", "-e", code], needs.SCENARIOS / client)
    if where.startswith("agents/"):
        return _run_agent(where.removeprefix("agents/"), code, home)
    if where == "python":
        return shell('python3 -c "$CODE"', CODE=code)
    return _run([str(clients.python(where)), "-c", code], clients.CLIENTS)


def _run_agent(name: str, code: str, home: Path) -> str:
    """Run an agent in a folder that is its home and its project."""
    packages = AGENTS / name / "node_modules"
    if not packages.is_dir():
        # They are large, so by hand they may be missing; where nothing may be skipped, they are a failure.
        leave_out = pytest.fail if os.environ.get("REQUIRE_SERVERS") else pytest.skip
        leave_out(f"{name} is not installed: `make agents`")
    if code.startswith("import "):
        return _run([needs.node_itself(), "--input-type=module", "-e", code], AGENTS / name)
    subprocess.run(["git", "init", "--quiet", str(home)], check=True)
    path = f"{packages / '.bin'}{os.pathsep}{os.environ['PATH']}"
    return _run(["sh", "-c", code], home, PATH=path, HOME=str(home))


def _run(command: list[str], where: Path, **more: str) -> str:
    variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    variables |= more
    done = subprocess.run(
        command,
        cwd=where,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BLOCK_S,
        check=False,
    )
    return (
        done.stdout if done.returncode == 0 else f"ended with {done.returncode}: {done.stdout}{done.stderr}"
    )


def written_for(product: Newcomer, code: str, secret: str = SECRET) -> str:
    """Put the server's address and a key in; nothing else is changed."""
    return code.replace("HOST:11434", product.address).replace("lg-KEY", secret)


@pytest.mark.timeout(WITH_INSTALLATION_S)
@pytest.mark.parametrize(
    ("where", "code"), BLOCKS, ids=[f"{where}-{n}" for n, (where, _) in enumerate(BLOCKS)]
)
def test_a_block_works_as_it_stands(
    where: str, code: str, closed: Newcomer, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = [(path, text) for client, path, text in FILE.findall(PAGE) if client == where]
    shown = code + "".join(text for _, text in files)
    assert "lg-KEY" in shown
    assert "HOST:11434" in shown
    for path, text in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(written_for(closed, text))
    if where in clients.names():
        with capfd.disabled():
            clients.python(where)
    assert REPLY_TEXT in run_block(where, written_for(closed, code), tmp_path)


@pytest.mark.timeout(WITH_INSTALLATION_S)
def test_with_another_key_nothing_is_answered(closed: Newcomer, tmp_path: Path) -> None:
    """So it is the key that opens: one block of each way to run them."""
    for where, code in {where: code for where, code in BLOCKS if where in ("python", "js/ollama")}.items():
        try:
            said = run_block(where, written_for(closed, code, ANOTHER), tmp_path)
        except AssertionError as failed:
            said = str(failed)
        assert REPLY_TEXT not in said
        assert "this client key is not valid here" in said


def test_every_client_of_the_table_that_is_run_has_a_block() -> None:
    """What the page says of itself: a client that is run stands in a section with such a block."""
    rows = re.findall(r"^\| \[([^\]]+)\]\(#([^)]+)\).*\| run \|$", PAGE, re.MULTILINE)
    sections = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-"): text
        for title, text in re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    }
    assert len(rows) > 8
    for name, anchor in rows:
        assert BLOCK.search(sections[anchor]), name


def test_every_client_that_is_replayed_is_one_of_the_table() -> None:
    row = r"^\| \[?([^\]|]+?)\]?(?:\([^)]+\))?(?:, [^|]+)? \|.*\| (run|replayed) \|$"
    said = dict(re.findall(row, PAGE, re.MULTILINE))
    assert set(REPLAYED.values()) <= set(said)
    assert {name for name, how in said.items() if how == "replayed"} <= set(REPLAYED.values())
    assert {replay_of(replay) for replay in REPLAYS} <= set(REPLAYED)


def replay_of(replay: Replay) -> str:
    """Give the module of a replay."""
    from .replays import MODULES

    (module,) = (module for module in MODULES if replay in module.REPLAYS)
    return module.__name__.rpartition(".")[2]


def in_the_path(replay: Replay) -> Replay:
    """Ask below the key, with whatever dummies the program sends."""
    steps = [replace(step, request=step.request.replace(" /", f" /k/{SECRET}/", 1)) for step in replay.steps]
    return replace(replay, steps=tuple(steps))


def in_the_header(replay: Replay) -> Replay:
    """Send the key as the programs do that have a field for it, in place of what they send without one."""
    stack = replay.stack
    lines = [line for line in stack.lines if not OF_A_KEY.match(line)]
    first = next(place for place, line in enumerate(lines) if line.lower().startswith("host:"))
    lines.insert(first + 1, f"Authorization: Bearer {SECRET}")
    steps = [
        replace(step, headers=tuple(line for line in step.headers if not OF_A_KEY.match(line)))
        for step in replay.steps
    ]
    return replace(replay, stack=Stack(tuple(lines), stack.keeps_alive), steps=tuple(steps))


@pytest.mark.parametrize("replay", REPLAYS, ids=lambda replay: replay.name)
@pytest.mark.parametrize("with_key", [in_the_path, in_the_header])
def test_what_programs_send_is_answered_where_keys_are_demanded(
    replay: Replay, with_key: object, closed: Newcomer, closed_backend: FakeBackend
) -> None:
    assert callable(with_key)
    closed_backend.reset()
    listed = tuple(f"{name}:latest" for name in MODELS)
    play(with_key(replay), closed.port, *listed)
    for request in closed_backend.requests:
        assert SECRET not in str(request.header_list) + request.path
