"""Clients that many programs are built on, each tested in an environment of its own, in a process of its own.

A suite's `test_any_model.py` asks what a small real model can do; `test_obedient_model.py` all the rest, of a
backend that does what it is told.
"""

import re
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend, scripts
from tests.support import environment

from . import client_environments as clients
from .conversation import ANSWER, MODEL
from .product import FAULTY, MODELS, Newcomer

SUITE_S = 120.0
WITH_INSTALLATION_S = 2 * clients.INSTALL_S + SUITE_S

# What a developer's shell says to these clients, or to pytest, must not get in.
OF_CLIENTS = re.compile("ANTHROPIC_|LANGCHAIN_|LANGSMITH_|LITELLM_|OLLAMA_|PYTEST_|PYTHONPATH$")


@pytest.fixture(params=clients.names())
def name(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> str:
    """A client that is installed. The first time it says so, since the run would seem to hang."""
    with capfd.disabled():
        clients.python(request.param)
    return str(request.param)


@dataclass
class Report:
    """What pytest wrote about a suite."""

    passed: int
    left_out: set[str] = field(default_factory=set)
    """The tests that were skipped or failed as expected, without their parameters."""

    @classmethod
    def of(cls, path: Path) -> "Report":
        cases = list(ElementTree.parse(path).iter("testcase"))
        skipped = [case.attrib["name"] for case in cases if case.find("skipped") is not None]
        return cls(len(cases) - len(skipped), {test.partition("[")[0] for test in skipped})


def run(name: str, product: Newcomer, where: Path, *files: str, **variables: str) -> Report:
    """Run a client's suite, or some of its files, against a server; all that runs must pass."""
    suite, report, output = clients.CLIENTS / name, where / "report.xml", where / "output.txt"
    settings = ["-c", str(suite.parent / "suites.ini"), "--rootdir", str(suite), "--confcutdir", str(suite)]
    command = [str(clients.python(name)), "-m", "pytest", *settings, f"--junitxml={report}", *files]
    variables = environment.closed(LLAMAGATE_URL=product.url, **variables)
    around = {name: value for name, value in variables.items() if not OF_CLIENTS.match(name)}
    ending = _ending(command, suite, around, output)
    if ending:
        pytest.fail(f"The suite for {name} {ending}:\n{output.read_text()}", pytrace=False)
    return Report.of(report)


def _ending(command: list[str], where: Path, around: dict[str, str], output: Path) -> str:
    """Run a command to its end; say how it ended, if not well."""
    with output.open("wb") as out:
        try:
            done = subprocess.run(
                command, cwd=where, env=around, stdout=out, stderr=out, timeout=SUITE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"did not end within {SUITE_S:.0f} s"
    return f"ended with {done.returncode}" if done.returncode else ""


def named(name: str) -> set[str]:
    """Give the tests that a suite leaves out, each with its reason."""
    path = clients.CLIENTS / name / "left-out.toml"
    reasons: dict[str, str] = tomllib.loads(path.read_text()) if path.exists() else {}
    assert all(reasons.values())
    return set(reasons)


@pytest.mark.timeout(WITH_INSTALLATION_S)
def test_with_an_obedient_model(name: str, gateway: Newcomer, backend: FakeBackend, tmp_path: Path) -> None:
    for model, script in {MODELS[0]: scripts.obedient(), **FAULTY}.items():
        backend.script(model, script)
    report = run(name, gateway, tmp_path, LLAMAGATE_MODEL=MODELS[0], LLAMAGATE_ANSWER=REPLY_TEXT)
    assert report.passed > 0
    assert report.left_out == named(name)


@pytest.mark.timeout(WITH_INSTALLATION_S)
def test_with_a_real_model(name: str, demo: Newcomer, tmp_path: Path) -> None:
    variables = {"LLAMAGATE_MODEL": MODEL, "LLAMAGATE_ANSWER": ANSWER}
    report = run(name, demo, tmp_path, "test_any_model.py", **variables)
    assert (report.passed > 0, report.left_out) == (True, set())
