"""What each kind of backend is asked for the same requests: one file per dialect in tests/golden/dialects.

The requests have everything in them that any dialect treats in its own way. The expected files are reviewed
like code, and written anew by `--update-golden`.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from backends.wire.dialects import DIALECTS
from gateway.diagnostics import Diagnostics
from gateway.errors import BadRequest
from gateway.trace_report import list_notes
from ollama_api.json_encoding import to_json
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from tests.golden import replay
from tests.unit.ollama_api.test_golden import compare, pretty

FOLDER = Path(replay.__file__).parent / "dialects"
REQUESTS = json.loads((FOLDER / "requests.json").read_text())
MODELS = json.loads((FOLDER / "models.json").read_text())
"""Dialect -> models beside `backend-model` that it treats in ways of their own."""


def asked(dialect: str, model: str, request: dict[str, Any]) -> Any:
    """Give the body, without what every kind gets, and what the trace tells of it."""
    diagnostics = Diagnostics()
    call = parse.chat(json.dumps({"model": "m", **request}).encode())
    try:
        target = replay.target(dialect, model)
        made = replay.build(CHAT, call, target, replay.rule(), diagnostics)
    except BadRequest as refused:
        return {"refused": refused.message}
    body = json.loads(to_json(made))
    told = [
        f"{note.field or '+'} {note.verdict}{' to ' + note.to if note.to else ''}: {note.why}"
        for note in list_notes(call, body, diagnostics)
        if note.verdict != "mapped"
    ]
    return {"body": body, "trace": told}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_kind_is_asked_in_its_own_way(dialect: str, update_golden: bool) -> None:
    found = {
        f"{model}: {name}": asked(dialect, model, request)
        for model in ("backend-model", *MODELS.get(dialect, []))
        for name, request in REQUESTS.items()
    }
    compare(FOLDER / f"{dialect}.json", pretty(found).encode(), update_golden)


def test_there_is_a_file_for_each_and_no_other() -> None:
    assert len(DIALECTS) >= 20
    assert {path.stem for path in FOLDER.glob("*.json")} == {*DIALECTS, "requests", "models"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_part_for_some_models_is_tried_by_one_of_them(dialect: str) -> None:
    profile = DIALECTS[dialect]
    tried = [replay.target(dialect, model).dialect for model in MODELS.get(dialect, [])]
    assert len(MODELS.get(dialect, [])) >= len(profile.per_model)
    assert all(one != profile for one in tried)
