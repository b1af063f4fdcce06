"""Members of Ollama's own API in bodies that pass: nothing of them reaches a backend that is no Ollama."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.raw_forms import OLLAMA_MEMBERS
from gateway.trace_report import LOST, list_notes
from ollama_api.openai.chat import CHAT
from tests.golden import replay
from tests.unit.gateway.test_trace import JSON

HI = [{"role": "user", "content": "hi"}]
VALUES = JSON | st.sampled_from(
    [True, "low", "5m", -1, "json", {"type": "object"}, {"seed": 7, "stop": ["a"]}]
)
MEMBERS = st.dictionaries(st.sampled_from(sorted(OLLAMA_MEMBERS - {"truncate"})), VALUES, min_size=1)


def build(
    dialect: str, notes: Diagnostics | None = None, api: ClientApi = CHAT, **fields: Any
) -> dict[str, Any]:
    call = api.parse(json.dumps({"model": "m", "messages": HI, **fields}).encode())
    made = replay.build(api, call, replay.target(dialect), replay.rule(), notes)
    return {name: json.loads(bytes(value)) for name, value in made.items()}


@given(st.sampled_from([*DIALECTS]), MEMBERS)
def test_none_reaches_another_kind_and_the_trace_tells_of_each(dialect: str, members: dict[str, Any]) -> None:
    if DIALECTS[dialect].protocol == "ollama":
        assert build(dialect, **members) == {"model": "backend-model", "messages": HI, **members}
        return
    notes = Diagnostics()
    made = build(dialect, notes, **members)
    assert OLLAMA_MEMBERS.isdisjoint(made)
    assert members.keys() <= {note.field for note in notes.taken}
    call = CHAT.parse(json.dumps({"model": "m", "messages": HI, **members}).encode())
    assert LOST not in [note.why for note in list_notes(call, made, notes)]


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ({"temperature": 0.1, "options": {"temperature": 0.9}}, {"temperature": 0.1}),
        ({"temperature": None, "options": {"temperature": 0.9}}, {"temperature": 0.9}),
        ({"max_completion_tokens": 3, "options": {"num_predict": 9}}, {"max_completion_tokens": 3}),
        ({"reasoning_effort": "high", "think": False}, {"reasoning_effort": "high"}),
        ({"response_format": {"type": "text"}, "format": "json"}, {"response_format": {"type": "text"}}),
        ({"think": "low"}, {"reasoning_effort": "low"}),
        ({"format": "json"}, {"response_format": {"type": "json_object"}}),
        ({"think": 7, "format": 7, "options": 7, "keep_alive": []}, {}),
    ],
)
def test_what_is_said_in_the_apis_own_members_holds(said: dict[str, Any], holds: dict[str, Any]) -> None:
    assert build("openai", **said) == {"model": "backend-model", "messages": HI, **holds}


def test_the_mappings_options_lie_under_the_clients() -> None:
    call = CHAT.parse(
        json.dumps({"model": "m", "messages": HI, "options": {"top_p": 0.5, "seed": 1}}).encode()
    )
    rules = replay.rule(options={"top_p": 0.1, "temperature": 0.2}, forced_options={"seed": 2})
    made = replay.build(CHAT, call, replay.target("vllm"), rules)
    found = {name: json.loads(bytes(made[name])) for name in ("top_p", "temperature", "seed")}
    assert found == {"top_p": 0.5, "temperature": 0.2, "seed": 2}


def test_a_word_of_that_name_is_the_backends_own() -> None:
    """NIM's embeddings have `truncate`, with a word."""
    assert build("nim", truncate="END")["truncate"] == "END"
    assert "truncate" not in build("nim", truncate=True)
