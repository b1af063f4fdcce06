"""No member of a client's request chooses a model or a place, in whatever way it is written."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.routing.snapshot import MappingRules, Target, Upstream
from backends.wire.dialect import Dialect, override_profile
from backends.wire.dialects import DIALECTS
from gateway import raw_forms
from gateway.diagnostics import Diagnostics
from gateway.mapping_rules import apply_rules
from gateway.trace_report import list_notes
from gateway.translate.routing_members import WHY
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.raw_api import parse_raw
from tests.golden import replay
from tests.support.raw_http import Json

CHAT_BODY: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
RULE = MappingRules("m", ())
FORMS = {
    "chat": raw_forms.CHAT,
    "completion": raw_forms.COMPLETIONS,
    "embeddings": raw_forms.EMBEDDINGS,
    "handed on": raw_forms.RawForm(name="media", path="/images/generations"),
    "messages": raw_forms.MESSAGES,
    "responses": raw_forms.RESPONSES,
}
CHOOSING = sorted(
    (name, member)
    for name, dialect in DIALECTS.items()
    for member in dialect.routing_params
    if "." not in member
)


def target_of(dialect: Dialect) -> Target:
    return Target(Upstream(1, "b", "http://b.example/v1", dialect), "theirs")


def sent(
    body: bytes | Json,
    dialect: Dialect,
    rule: MappingRules = RULE,
    api: str = "chat",
    diagnostics: Diagnostics | None = None,
) -> Json:
    """Give what a backend of this kind would read, strictly: a name that stands there twice fails."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = parse_raw(FORMS[api], raw)
    apply_rules(rule, call, diagnostics or Diagnostics())
    made = msgspec.json.encode(call.build(target_of(dialect), diagnostics or Diagnostics()))
    found: Json = json.loads(made, object_pairs_hook=_once)
    return found


def _once(pairs: list[tuple[str, Any]]) -> Json:
    names = [name.casefold() for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


# The table


@pytest.mark.parametrize(("name", "member"), CHOOSING)
def test_each_member_of_each_kind_is_left_out_and_noted(name: str, member: str) -> None:
    diagnostics = Diagnostics()
    body = sent({**CHAT_BODY, member: ["other"], "user": "ana"}, DIALECTS[name], diagnostics=diagnostics)
    assert body == {**CHAT_BODY, "model": "theirs", "user": "ana"}
    assert [(note.field, note.verdict, note.why) for note in diagnostics.taken] == [(member, "dropped", WHY)]


@pytest.mark.parametrize("api", FORMS)
@pytest.mark.parametrize(
    ("dialect", "members"),
    [
        ("openrouter", {"models": ["x"], "route": "fallback", "provider": {"order": ["y"]}, "plugins": []}),
        ("litellm", {"api_base": "http://evil", "api_key": "k", "fallbacks": ["x"], "user_config": {}}),
        ("litellm", {"base_url": "x", "model_list": [], "custom_llm_provider": "x", "extra_body": {}}),
        ("generic", {"api_base": "http://evil", "models": ["x"], "providerOptions": {"gateway": {}}}),
        ("azure_deployments", {"data_sources": [{}], "dataSources": [{}]}),
        ("sglang", {"lora_path": "x", "bootstrap_host": "evil"}),
        ("vllm", {"kv_transfer_params": {"remote_host": "evil"}}),
    ],
)
def test_on_every_api_that_passes(api: str, dialect: str, members: Json) -> None:
    body = sent({**CHAT_BODY, **members}, DIALECTS[dialect], api=api)
    assert body == {**CHAT_BODY, "model": "theirs"}


def test_members_mean_what_they_mean_to_other_kinds() -> None:
    assert sent({**CHAT_BODY, "models": 1}, DIALECTS["vllm"])["models"] == 1


def test_every_name_is_in_lower_case() -> None:
    for dialect in DIALECTS.values():
        assert all(member == member.casefold() for member in dialect.routing_params)
        assert "model" not in dialect.routing_params


# Ways to write it

SPELLINGS = [
    b'{"model":"m","model":"evil","messages":[{}]}',
    b'{"model":"evil","Model":"m","messages":[{}]}',
    b'{"MODEL":"evil","model":"m","messages":[{}]}',
    b'{"mod\\u0065l":"evil","model":"m","messages":[{}]}',
    b'{"model":"m","mod\\u0065l":"m","\\u004dodel":"m","messages":[{}]}',
    b'{"model":"m","messages":[{}]} {"model":"evil"}',
    b'{"model":"m","user":"\\ud800","model":"m","messages":[{}]}',
    b'{"model":"m","model\\u0000":1,"model":"m","messages":[{}]}',
]


@pytest.mark.parametrize("body", SPELLINGS)
@pytest.mark.parametrize("api", FORMS)
def test_one_model_is_sent_however_it_is_written(body: bytes, api: str) -> None:
    found = sent(body, DIALECTS["generic"], api=api)
    assert [found[name] for name in found if name.casefold() == "model"] == ["theirs"]
    assert "evil" not in json.dumps(found)


@pytest.mark.parametrize(
    "written",
    ['"Models"', '"MODELS"', '"mod\\u0065ls"', '"model\\u017f"', '"mode\\u006C\\u0073"', '"fallbac\\u212as"'],
)
def test_members_in_any_case_and_escaped(written: str) -> None:
    body = f'{{"model":"m","messages":[{{}}],{written}:["evil"],{written}:["evil"]}}'
    assert list(sent(body.encode(), DIALECTS["openrouter"])) == ["model", "messages"]


NAMES = st.sampled_from(["model", "Model", "MODEL", "mod\\u0065l", "models", "Models", "api_base", "user"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["a", "b"])), max_size=8))
def test_whatever_stands_there_twice(pairs: list[tuple[str, str]]) -> None:
    members = ",".join(f'"{name}":"{value}"' for name, value in [*pairs, ("model", "m")])
    found = sent(f'{{{members},"messages":[{{}}]}}'.encode(), DIALECTS["generic"])
    assert set(found) <= {"model", "messages", "user"}
    assert found["model"] == "theirs"


# Within members


@pytest.mark.parametrize(
    ("dialect", "member", "given", "kept"),
    [
        ("openai", "tools", [{"type": "image_generation", "model": "x"}], [{"type": "image_generation"}]),
        ("openai", "tools", [{"type": "x", "Mod\u0065l": 1}, 5, "t"], [{"type": "x"}, 5, "t"]),
        ("anthropic", "tools", [{"type": "advisor_20260301", "model": "x"}], [{"type": "advisor_20260301"}]),
        ("litellm", "metadata", {"tags": ["x"], "a": 1, "Model_Group": "x"}, {"a": 1}),
        ("litellm", "metadata", [{"tags": ["x"], "a": 1}], [{"a": 1}]),
        ("litellm", "metadata", 5, 5),
        ("litellm", "metadata", None, None),
    ],
)
def test_parts_of_members(dialect: str, member: str, given: Any, kept: Any) -> None:
    diagnostics = Diagnostics()
    assert sent({**CHAT_BODY, member: given}, DIALECTS[dialect], diagnostics=diagnostics)[member] == kept
    assert (kept == given) == (not diagnostics.taken)


def test_a_text_that_may_hold_members_goes_as_a_whole() -> None:
    body = {**CHAT_BODY, "metadata": '{"tags": ["x"]}'}
    assert "metadata" not in sent(body, DIALECTS["litellm"])


FUNCTION = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"model": {}}}},
}
FUSION = {"type": "openrouter:fusion", "parameters": {"analysis_models": ["x"]}}


def test_tools_that_ask_other_models_are_left_out() -> None:
    given = {**CHAT_BODY, "tools": [FUSION, FUNCTION, {"type": "OpenRouter:advisor"}], "tool_choice": "auto"}
    diagnostics = Diagnostics()
    found = sent(given, DIALECTS["openrouter"], diagnostics=diagnostics)
    assert (found["tools"], found["tool_choice"]) == ([FUNCTION], "auto")
    assert [note.field for note in diagnostics.taken] == ["tools[0]", "tools[2]"]


def test_where_no_tool_is_left_nothing_is_said_of_tools() -> None:
    given = {**CHAT_BODY, "tools": [FUSION], "tool_choice": "required", "parallel_tool_calls": True}
    assert set(sent(given, DIALECTS["openrouter"])) == {"model", "messages"}


def test_tools_whose_text_only_some_parsers_take() -> None:
    body = b'{"model":"m","messages":[{}],"tools":[{"\\ud800":1,"model":"evil","type":"x\\ud800"}]}'
    assert "evil" not in json.dumps(sent(body, DIALECTS["openai"]))


@pytest.mark.parametrize("tools", [[FUSION], [FUSION, FUNCTION]])
def test_tools_of_translated_requests_too(tools: list[Json]) -> None:
    call = parse.chat(json.dumps({**CHAT_BODY, "tools": tools}).encode())
    body = replay.build(CHAT, call, target_of(DIALECTS["openrouter"]), RULE)
    assert body.get("tools") == ([FUNCTION] if FUNCTION in tools else None)


# What an operator says


def test_what_a_profile_or_a_mapping_forces_stays() -> None:
    dialect = override_profile(DIALECTS["openrouter"], {"options": {"top_k": "provider", "min_p": "route"}})
    rule = MappingRules("m", (), options={"top_k": 5}, forced_options={"min_p": 0.5})
    given = {**CHAT_BODY, "provider": {"order": ["x"]}, "route": "fallback"}
    found = sent(given, dialect, rule)
    assert (found["provider"], found["route"]) == (5, 0.5)


def test_an_operator_may_let_members_through() -> None:
    dialect = override_profile(
        DIALECTS["openrouter"], {"routing_params": ["models"], "routing_tool_types": []}
    )
    given = {**CHAT_BODY, "provider": {"order": ["x"]}, "models": ["x"], "tools": [FUSION]}
    assert set(sent(given, dialect)) == {"model", "messages", "provider", "tools"}


def test_the_trace_tells_names_and_no_values() -> None:
    diagnostics = Diagnostics()
    call = parse_raw(raw_forms.CHAT, json.dumps({**CHAT_BODY, "api_key": "secret-value"}).encode())
    body = call.build(target_of(DIALECTS["litellm"]), diagnostics)
    told = {note.field: (note.verdict, note.why) for note in list_notes(call, body, diagnostics)}
    assert told["api_key"] == ("dropped", WHY)
    assert "secret-value" not in repr(told)
