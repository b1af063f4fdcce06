"""The table of dialects: whole, frozen, and open for one more row."""

import re
from typing import Any

import msgspec
import pytest

from backends.wire.dialect import Dialect, ThinkStyle
from backends.wire.dialects import DIALECTS, dialect_choices
from ollama_api import parse
from ollama_api.translate.common import think_fields
from ollama_api.translate.options import KINDS
from ollama_api.ways import CHAT
from tests.golden.replay import rule, target

EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
WORDS = ["low", "medium", "high", "max"]


def test_the_table_is_keyed_by_name_and_cannot_be_changed() -> None:
    assert all(dialect.name == name for name, dialect in DIALECTS.items())
    assert all(re.fullmatch(r"[a-z0-9_]{1,32}", name) for name in DIALECTS)
    with pytest.raises(TypeError):
        DIALECTS["new"] = DIALECTS["generic"]  # type: ignore[index]  # that is what is tried
    with pytest.raises(AttributeError):
        DIALECTS["generic"].stop_limit = 1  # type: ignore[misc]  # that is what is tried


def test_a_form_offers_each_once_and_generic_is_among_them() -> None:
    assert [name for name, _ in dialect_choices()] == list(DIALECTS)
    assert len({label for _, label in dialect_choices()}) == len(DIALECTS)
    assert "generic" in DIALECTS


@EACH
def test_no_two_options_share_a_name_on_the_wire(dialect: Dialect) -> None:
    names = [*dialect.options.values(), dialect.max_tokens]
    assert len(set(names)) == len(names)
    assert set(dialect.options) <= set(KINDS)
    assert "num_predict" not in dialect.options


@EACH
def test_options_do_not_collide_with_the_fields_of_every_request(dialect: Dialect) -> None:
    ours = {
        "model",
        "messages",
        "stream",
        "stream_options",
        "response_format",
        "tools",
        "logprobs",
        "top_logprobs",
    }
    switches = [dialect.think.off, dialect.think.on, *dialect.think.levels.values()]
    for names in [dialect.options.values(), *(switch or {} for switch in switches)]:
        assert not ours & set(names)


@EACH
def test_a_kind_that_can_think_knows_every_level(dialect: Dialect) -> None:
    if dialect.think != ThinkStyle():
        assert sorted(dialect.think.levels) == sorted(WORDS)
        assert dialect.think.on is not None


@EACH
@pytest.mark.parametrize("think", [None, True, False, *WORDS])
def test_thinking_is_switched_in_the_dialects_way_or_not_at_all(dialect: Dialect, think: Any) -> None:
    fields = think_fields(think, dialect)
    if think is None or dialect.name == "generic":
        assert fields == {}
    elif dialect.name == "openai":
        effort = {True: "medium", False: "none", "max": "high"}.get(think, think)
        assert fields == {"reasoning_effort": effort}
    elif dialect.name in ("vllm", "llamacpp"):
        assert fields["chat_template_kwargs"] == {"enable_thinking": think is not False}
        assert fields.get("reasoning_effort") == (
            {"max": "high"}.get(think, think) if think in WORDS else None
        )


@EACH
def test_a_request_changes_nothing_in_the_table(dialect: Dialect) -> None:
    before = msgspec.json.encode(dialect)
    call = parse.chat(
        b'{"model":"m","messages":[],"think":true,"format":"json","options":{"seed":1,"stop":["a"]}}'
    )
    CHAT.to_upstream(call, target(dialect.name), rule())
    assert msgspec.json.encode(dialect) == before


def test_json_without_a_schema_becomes_one_where_the_word_is_not_understood() -> None:
    only_schemas = Dialect(name="x", label="X", format="schema")
    backend = msgspec.structs.replace(target().upstream, dialect=only_schemas, profiles={})
    call = parse.chat(b'{"model":"m","messages":[],"format":"json"}')
    body = CHAT.to_upstream(call, msgspec.structs.replace(target(), upstream=backend), rule())
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": {"type": "object"}},
    }


def test_a_kind_without_stream_options_is_not_asked_for_usage() -> None:
    silent = Dialect(name="x", label="X", asks_for_usage=False)
    backend = msgspec.structs.replace(target().upstream, dialect=silent, profiles={})
    call = parse.chat(b'{"model":"m","messages":[]}')
    body = CHAT.to_upstream(call, msgspec.structs.replace(target(), upstream=backend), rule())
    assert body["stream"] is True
    assert "stream_options" not in body
