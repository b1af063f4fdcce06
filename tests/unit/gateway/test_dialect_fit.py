"""What a kind of backend refuses is fitted in whatever way it is asked."""

import json
from typing import Any

import msgspec
import pytest

from backends.routing.snapshot import Target
from backends.wire.dialect import override_profile
from backends.wire.dialects import DIALECTS
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics
from gateway.trace_report import LOST, list_notes
from gateway.translate.chat_completions import tools_fields
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.generate import API as GENERATE
from ollama_api.openai import chat as openai
from ollama_api.responses import api as responses
from tests.golden import replay
from tests.golden.replay import rule, target

SCHEMA = {
    "type": "object",
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "additionalProperties": False,
    "properties": {
        "strict": {"type": "boolean"},
        "properties": {"type": "object", "additionalProperties": False, "properties": {"$id": {}}},
    },
    "required": ["strict", "properties"],
}


def body_of(api: ClientApi, call: Any, backend: Target, **mapping: Any) -> dict[str, Any]:
    body = replay.build(api, call, backend, rule(backend, **mapping))
    found: dict[str, Any] = json.loads(msgspec.json.encode(body))
    return found


def of_profile(dialect: str, **changes: Any) -> Target:
    plain = target(dialect)
    profile = override_profile(plain.upstream.dialect, changes)
    return Target(msgspec.structs.replace(plain.upstream, dialect=profile, profiles={}), plain.model)


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    function = {"name": "f", "strict": True, "parameters": SCHEMA}
    tools = [{"type": "function", "function": function}]
    (tool,) = tools_fields({"tools": tools}, DIALECTS["mistral"])["tools"]
    assert tool["function"] == {
        "name": "f",
        "parameters": {
            "type": "object",
            "properties": {
                "strict": {"type": "boolean"},
                "properties": {"type": "object", "properties": {"$id": {}}},
            },
            "required": ["strict", "properties"],
        },
    }


@pytest.mark.parametrize(("dialect", "top_p"), [("tgi", 0.999), ("generic", 1.0)])
def test_a_prompt_without_a_template_is_fitted_too(dialect: str, top_p: float) -> None:
    call = parse.generate(b'{"model":"m","prompt":"p","raw":true,"options":{"top_p":1.0}}')
    assert body_of(GENERATE, call, target(dialect))["top_p"] == top_p


@pytest.mark.parametrize("kind", ["options", "forced_options"])
@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("gpt-5", {"max_completion_tokens": 1024}),
        ("gpt-4o", {"temperature": 0.2, "max_completion_tokens": 9}),
    ],
)
def test_what_the_mapping_adds_to_a_body_that_passes_is_fitted(
    kind: str, model: str, sent: dict[str, Any]
) -> None:
    call = openai.parse_chat(b'{"model":"m","messages":[{"role":"user","content":"hi"}],"top_p":0.5}')
    options: dict[str, Any] = {kind: {"temperature": 0.2, "num_predict": 9}}
    body = body_of(openai.CHAT, call, target("openai", model), **options)
    assert body == {"model": model, "messages": [{"role": "user", "content": "hi"}], "top_p": 0.5, **sent}


def test_a_backends_own_fields_go_to_ollama_too() -> None:
    backend = of_profile("ollama", body={"keep_alive": "1h", "model": "other"})
    chat = parse.chat(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    generation = parse.generate(b'{"model":"m","prompt":"hi","keep_alive":"5m"}')
    chat_body = body_of(CHAT, chat, backend)
    generate_body = body_of(GENERATE, generation, backend)
    assert (chat_body["keep_alive"], chat_body["model"]) == ("1h", backend.model)
    assert (generate_body["keep_alive"], generate_body["model"]) == ("5m", backend.model)


def test_a_form_that_is_told_in_words_is_not_told_as_lost() -> None:
    call = responses.parse(b'{"model":"m","input":"hi","text":{"format":{"type":"json_object"}}}')
    diagnostics = Diagnostics()
    body = replay.build(responses.RESPONSES, call, target("anthropic"), rule(), diagnostics)
    assert LOST not in [note.why for note in list_notes(call, body, diagnostics)]
