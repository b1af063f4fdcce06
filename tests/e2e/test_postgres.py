"""Served over PostgreSQL: what replicas must be given, and chats that go on while the database is away."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from tests.conftest import SKIPPED_LEGS
from tests.fake_backend import FakeBackend, scripts
from tests.support import environment, legs
from tests.support.relay import Relay, address, through
from tests.support.waiting import eventually

from .conversation import MESSAGES
from .postgres import own_database, why_missing
from .product import Newcomer, manage, shell

DATABASE = "llamagate_e2e"
# Like a replica's: given, not made.
SECRETS = {name: environment.SETTINGS[name] for name in ("SECRET_KEY", "CREDENTIAL_KEYS")}
NOTICED_WITHIN_S = 15.0
SEEN_WITHIN_S = 2.0
ANSWERED_WITHIN_S = 1.0

CONFIGURATION = """
version: 1
backends:
  - {{name: one, base_url: "{one}"}}
  - {{name: other, base_url: "{other}"}}
mappings:
  - name: pet
    targets: [{{backend: {current}, model: m}}]
"""


@pytest.fixture
def database(pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of a database of its own. No server: a skipped leg, or a failure where servers are required."""
    if reason := why_missing():
        if legs.is_required():
            pytest.fail(f"REQUIRE_SERVERS is set, but there is no PostgreSQL: {reason}", pytrace=False)
        pytestconfig.stash[SKIPPED_LEGS][legs.POSTGRES] = reason
        pytest.skip(f"no PostgreSQL: {reason}")
    with own_database(DATABASE) as url:
        yield url


@pytest.fixture
def relay(database: str) -> Iterator[Relay]:
    with Relay(address(database)) as cable:
        yield cable


@pytest.fixture
def replica(database: str, relay: Relay, tmp_path: Path) -> Iterator[Newcomer]:
    """The product, whose only way to the database is the relay."""
    with Newcomer(tmp_path, DATABASE_URL=through(database, relay.port), **SECRETS) as product:
        yield product


@pytest.fixture
def one() -> Iterator[FakeBackend]:
    with FakeBackend() as fake:
        fake.script("m", scripts.saying("I am one."))
        yield fake


@pytest.fixture
def other() -> Iterator[FakeBackend]:
    with FakeBackend() as fake:
        fake.script("m", scripts.saying("I am the other."))
        yield fake


def apply(database: str, text: str, where: Path) -> None:
    """Change the configuration as another process, on the straight way to the database."""
    file = where / "configuration.yaml"
    file.write_text(text)
    manage("apply", str(file), DATABASE_URL=database, **SECRETS)


def answer(client: ollama.Client) -> str:
    """Give what `pet` says to one question, or why it says nothing; soon, either way."""
    began = time.monotonic()
    try:
        text = client.chat("pet", MESSAGES).message.content or ""
    except ollama.ResponseError as error:
        text = error.error
    assert time.monotonic() - began < ANSWERED_WITHIN_S
    return text


def test_the_database_may_stop(
    database: str,
    relay: Relay,
    replica: Newcomer,
    one: FakeBackend,
    other: FakeBackend,
    tmp_path: Path,
) -> None:
    def configuration(current: str) -> str:
        return CONFIGURATION.format(one=one.base_url, other=other.base_url, current=current)

    with ollama.Client(host=replica.url) as client:

        def said() -> str:
            return answer(client)

        apply(database, configuration("one"), tmp_path)
        eventually(lambda: said() == "I am one.", SEEN_WITHIN_S, "the new mapping")
        one.script_once("m", scripts.held("away", after=1))
        stream = client.chat("pet", MESSAGES, stream=True)
        heard = [next(stream)]

        relay.pull()
        assert said() == "I am one."
        replica.wait_logged("database away: serving from the last snapshot", timeout=NOTICED_WITHIN_S)
        one.release("away")
        heard += stream
        assert heard[-1].done
        apply(database, configuration("other"), tmp_path)
        assert [said() for _ in range(20)] == ["I am one."] * 20
        assert "pet:latest" in [model.model for model in client.list().models]

        relay.plug_in()
        eventually(lambda: said() == "I am the other.", SEEN_WITHIN_S, "the change")
        replica.wait_logged("database back")
    assert len(replica.logged("database away: serving from the last snapshot")) == 1


def test_replicas_are_given_their_secrets(database: str, tmp_path: Path) -> None:
    """The refusal says how to make them, and what it says works."""
    given = {"DATABASE_URL": database, "DATA_DIR": str(tmp_path / "data"), "PORT": "0"}
    refused = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=environment.ROOT,
        env=environment.closed(**given, SECRET_KEY="", CREDENTIAL_KEYS=""),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode not in (0, None)
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data").exists()
    hints = dict(re.findall(r"(\w+) \(or \w+_FILE\)\. Make one with: (.*)", refused.stderr))
    assert hints.keys() == SECRETS.keys()
    made = {name: shell(command).strip() for name, command in hints.items()}
    with Newcomer(tmp_path / "data", DATABASE_URL=database, **made) as replica:
        assert replica.client.get("/").text == "Ollama is running"
