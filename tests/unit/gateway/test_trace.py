"""The trace: every field of every request is accounted for, by every kind of backend."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.client_api import ClientApi
from gateway.diagnostics import Diagnostics, Note
from gateway.errors import BadRequest
from gateway.mapping_rules import OWN_TURNS
from gateway.trace_report import LOST, MOST_HEADER_BYTES, as_header, list_notes, report_target
from gateway.translate.options import KINDS
from ollama_api.anthropic import request as anthropic_request
from ollama_api.anthropic.api import MESSAGES
from ollama_api.json_encoding import to_json
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.generate import API as GENERATE
from ollama_api.openai import chat as openai
from ollama_api.openai.chat import CHAT as OPENAI_CHAT
from ollama_api.responses import api as responses
from ollama_api.responses.api import RESPONSES
from tests.golden import replay
from tests.unit.gateway.test_golden_dialects import MODELS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORD = st.text("abcxyz_", min_size=1, max_size=6)
PNG = "iVBORw0KGgo="
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORD, inner, max_size=2),
    max_leaves=4,
)
SCHEMA = st.fixed_dictionaries(
    {"type": st.just("object")}, optional={"properties": st.just({}), "$schema": TEXT}
)
VALUES = {
    "float32": st.floats(-2, 2, width=32),
    "integer": st.integers(-2, 50),
    "boolean": st.booleans(),
    "strings": st.lists(TEXT, max_size=20),
}
OPTIONS = st.fixed_dictionaries(
    {}, optional={name: st.none() | VALUES[kind] for name, kind in KINDS.items()} | {"nobody_knows": JSON}
)
CALL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": WORD, "arguments": st.dictionaries(WORD, JSON, max_size=2)})},
    optional={"id": WORD},
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": TEXT},
    optional={
        "thinking": TEXT,
        "images": st.lists(st.just(PNG), max_size=1),
        "tool_calls": st.lists(CALL, max_size=2),
        "tool_name": WORD,
        "tool_call_id": WORD,
    },
)
SHARED: dict[str, st.SearchStrategy[Any]] = {
    "stream": st.booleans(),
    "format": st.none() | st.just("json") | SCHEMA,
    "options": OPTIONS,
    "keep_alive": st.sampled_from([0, -1, "5m", 60]),
    "think": st.none() | st.booleans() | st.sampled_from(["low", "medium", "high", "max"]),
    "truncate": st.booleans(),
    "shift": st.booleans(),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 5),
}
TOOL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": WORD}, optional={"parameters": SCHEMA, "description": TEXT})},
    optional={"type": st.just("function")},
)
CHATS = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(MESSAGE, min_size=1, max_size=6)},
    optional={**SHARED, "tools": st.lists(TOOL, max_size=2)},
)
GENERATIONS = st.fixed_dictionaries(
    {"model": st.just("m"), "prompt": TEXT.filter(bool)},
    optional={
        **SHARED,
        "suffix": TEXT,
        "system": TEXT,
        "raw": st.booleans(),
        "images": st.lists(st.just(PNG), max_size=1),
    },
)
TARGETS = [
    replay.target(dialect, model)
    for dialect in DIALECTS
    for model in ("backend-model", *MODELS.get(dialect, []))
]
# What every request has, and needs no word.
OWN_DEFAULT = "its own default"
UNSAID = {"model", "messages", "stream"}


def sent(
    endpoint: ClientApi, read: Any, request: dict[str, Any], target: Any
) -> tuple[dict[str, Any], list[Note]] | None:
    """Translate; None when it is refused, which is an answer and loses nothing."""
    rule, diagnostics = replay.rule(), Diagnostics()
    try:
        call = read(json.dumps(request).encode())
        replay.check(endpoint, call, rule)
        body = replay.build(endpoint, call, target, rule, diagnostics)
    except BadRequest:
        return None
    return body, list_notes(call, body, diagnostics)


def said(request: dict[str, Any]) -> set[str]:
    """Name every field that a client said: null is as if it were not there, and so are Ollama's defaults."""
    plain = {"truncate": True, "shift": True, "logprobs": False, "top_logprobs": 0, "raw": False}
    fields = {
        name
        for name, value in request.items()
        if value not in (None, "", [], {}) and (name not in plain or value != plain[name])
    }
    fields -= {"options"}
    fields |= {f"options.{name}" for name in request.get("options") or {}}
    for place, message in enumerate(request.get("messages", ())):
        fields |= {f"messages[{place}].thinking"} if message.get("thinking") else set()
    return fields


def assert_accounted(request: dict[str, Any], body: dict[str, Any], told: list[Note]) -> None:
    assert not [note for note in told if note.why == LOST]
    assert said(request) <= {note.field for note in told}
    dropped = {note.field for note in told if note.verdict == "dropped"}
    went = [note for note in told if note.verdict in ("mapped", "changed") and note.field not in dropped]
    went = [note for note in went if note.to or note.field != "options.stop"]  # looked for in the answer here
    arrived = {name for note in went for name in note.to.split(", ")} - {OWN_DEFAULT}
    assert arrived <= set(body), "what is said to have arrived is there"
    added = {note.to for note in told if note.verdict == "added"}
    unexplained = set(body) - arrived - added - UNSAID - {"max_tokens", "max_completion_tokens"}
    assert not unexplained, "what no client said is told"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.dialect.name}-{target.model}")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chat=CHATS, generation=GENERATIONS)
def test_every_field_is_in_the_body_or_in_the_trace(
    target: Any, chat: dict[str, Any], generation: dict[str, Any]
) -> None:
    for endpoint, read, request in ((CHAT, parse.chat, chat), (GENERATE, parse.generate, generation)):
        found = sent(endpoint, read, request, target)
        if found is not None:
            assert_accounted(request, *found)


def test_what_is_mapped_has_its_value_there() -> None:
    request = {"model": "m", "messages": [], "options": {"temperature": 0.5, "top_k": 4, "num_predict": 7}}
    body, told = sent(CHAT, parse.chat, request, replay.target("vllm")) or ({}, [])
    where = {note.field: note.to for note in told if note.verdict == "mapped"}
    assert [body[where[f"options.{name}"]] for name in ("temperature", "top_k", "num_predict")] == [0.5, 4, 7]


def test_a_long_account_still_fits_a_header() -> None:
    options = {f"nobody_knows_{number}": number for number in range(400)}
    call = parse.chat(json.dumps({"model": "m", "messages": [], "options": options}).encode())
    target = replay.target()
    whole = report_target(target, call, replay.build(CHAT, call, target, replay.rule()), Diagnostics())
    header = as_header([whole])
    assert header.isascii()
    assert len(header) <= MOST_HEADER_BYTES
    assert "manage.py trace" in header
    assert json.loads(as_header([])) == []


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=st.lists(MESSAGE, min_size=1, max_size=6))
def test_nothing_of_what_was_said_and_shown_is_lost(dialect: str, messages: list[dict[str, Any]]) -> None:
    for place, message in enumerate(messages):
        message["content"] = f"text {place}."
        if message.get("images"):
            message["images"] = [f"iVBORw0KGgo{place:04d}="]
    found = sent(CHAT, parse.chat, {"model": "m", "messages": messages}, replay.target(dialect))
    if found is None:
        return
    body = to_json(found[0]).decode()
    for message in messages:
        assert all(said in body for said in (message["content"], *message.get("images", ())))


SYSTEM_AND_EXAMPLE = {"system": "Be kind.", "messages": ({"role": "user", "content": "example"},)}
ON_EVERY_API: dict[str, tuple[ClientApi, Any, dict[str, Any]]] = {
    "/api/chat": (CHAT, parse.chat, {"messages": [{"role": "user", "content": "hi"}]}),
    "/api/generate": (GENERATE, parse.generate, {"prompt": "hi"}),
    "/v1/chat/completions": (
        OPENAI_CHAT,
        openai.parse_chat,
        {"messages": [{"role": "user", "content": "a"}]},
    ),
    "/v1/messages": (
        MESSAGES,
        anthropic_request.parse,
        {"messages": [{"role": "user", "content": "a"}], "max_tokens": 9},
    ),
    "/v1/responses": (RESPONSES, responses.parse, {"input": "hi"}),
}


@pytest.mark.parametrize("api", ON_EVERY_API)
@pytest.mark.parametrize("own", [{name: value} for name, value in SYSTEM_AND_EXAMPLE.items()])
def test_what_a_mapping_puts_before_a_conversation_is_told(api: str, own: dict[str, Any]) -> None:
    endpoint, read, request = ON_EVERY_API[api]
    call, diagnostics = read(json.dumps({"model": "m", **request}).encode()), Diagnostics()
    rule = msgspec.structs.replace(replay.rule(), **own)
    body = replay.build(endpoint, call, replay.target(), rule, diagnostics)
    assert ("Be kind." if "system" in own else "example") in to_json(body).decode()
    assert Note("", "added", "messages", OWN_TURNS) in diagnostics.taken
    replay.build(endpoint, call, replay.target(), replay.rule(), (plain := Diagnostics()))
    assert OWN_TURNS not in {note.why for note in plain.taken}
