"""Scenarios in Node.js: a script for each, in the folder of its client, which reports what it saw as JSON."""

import json
import subprocess
from typing import Any

from . import needs
from .product import Newcomer

SCENARIO_S = 45.0


def run(client: str, scenario: str, product: Newcomer, model: str, *more: str) -> Any:
    """Run one script against a server; give its report."""
    command = [needs.node(client), f"{scenario}.mjs", product.url, model, *more]
    done = subprocess.run(
        command,
        cwd=needs.SCENARIOS / client,
        capture_output=True,
        text=True,
        timeout=SCENARIO_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{client}/{scenario}: {done.stderr}"
    # The libraries write to the console too: the report is the last line.
    return json.loads(done.stdout.splitlines()[-1])
