"""What backends are sent for what clients say, whatever API they say it by: one file per rule in golden/sent.

`asked` holds a body for each API, `sent` what each kind of backend gets for it, and what the trace tells.
Where a backend has the protocol itself, the body passes. `sent` is written anew by `--update-golden`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.errors import RequestError
from gateway.trace_report import list_notes
from ollama_api.anthropic.api import MESSAGES
from ollama_api.json_encoding import to_json
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.openai.chat import CHAT as OPENAI_CHAT
from ollama_api.openai.chat import COMPLETIONS
from ollama_api.openai.vectors import EMBEDDINGS
from ollama_api.responses.api import RESPONSES
from tests.golden import replay
from tests.unit.ollama_api.test_golden import compare, pretty

FOLDER = Path(replay.__file__).parent / "sent"
CASES = sorted(FOLDER.glob("*.json"))
APIS: dict[str, tuple[ClientApi, Callable[[bytes], Any]]] = {
    "/api/chat": (CHAT, parse.chat),
    "/v1/chat/completions": (OPENAI_CHAT, OPENAI_CHAT.parse),
    "/v1/completions": (COMPLETIONS, COMPLETIONS.parse),
    "/v1/embeddings": (EMBEDDINGS, EMBEDDINGS.parse),
    "/v1/messages": (MESSAGES, MESSAGES.parse),
    "/v1/responses": (RESPONSES, RESPONSES.parse),
}


def send(path: str, asked: dict[str, Any], dialect: str) -> Any:
    """Give what a backend is sent, and what the trace tells of it."""
    api, read = APIS[path]
    target = replay.target(dialect)
    passing = api.raw
    if passing is not None and getattr(target.dialect, passing.protocol):
        api, read = passing, passing.parse
    diagnostics = Diagnostics()
    try:
        call = read(json.dumps({"model": "m", **asked}).encode())
        made = replay.build(api, call, target, replay.rule(), diagnostics)
    except RequestError as refused:
        return {"refused": refused.message}
    body = json.loads(to_json(made))
    told = [
        f"{note.field or '+'} {note.verdict}{' to ' + note.to if note.to else ''}: {note.why}"
        for note in list_notes(call, body, diagnostics)
        if note.verdict != "mapped"
    ]
    return {"body": body, "trace": told}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.stem))
def test_what_backends_are_sent(case: Path, update_golden: bool) -> None:
    given = json.loads(case.read_text())
    found = {
        dialect: {path: send(path, asked, dialect) for path, asked in given["asked"].items()}
        for dialect in given["dialects"]
    }
    compare(case, pretty({**given, "sent": found}).encode(), update_golden)


def test_there_are_cases_for_every_api() -> None:
    asked = {path for case in CASES for path in json.loads(case.read_text())["asked"]}
    assert asked <= APIS.keys()
    assert {"/api/chat", "/v1/chat/completions", "/v1/messages", "/v1/responses"} <= asked
