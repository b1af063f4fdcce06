"""Tools as clients write them, held against what validators of backends demand."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translate.json_schema import MAY_BE_NULL, MOST_LEVELS, complete_schema
from gateway.translate.tools import RAW_TOOLS, complete_parameters, complete_raw_tools, complete_tools

TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}
NESTED = ("items", "additionalProperties", "not")
LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")


def refuse(schema: Any, where: str = "") -> list[str]:
    """Say what a validator would refuse, as OpenAI's does."""
    if isinstance(schema, bool):
        return []
    found = [f"{where}.{n}: null" for n, v in schema.items() if v is None and n not in MAY_BE_NULL]
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind] if "type" in schema else []
    found += [f"{where}: no type {one!r}" for one in kinds if one not in TYPES]
    if kind == "object" and not {"properties", "anyOf", "oneOf", "allOf", "$ref"} & schema.keys():
        found.append(f"{where}: object schema missing properties")
    if "array" in kinds and not isinstance(schema.get("items"), dict | bool):
        found.append(f"{where}: array schema missing items")
    if "required" in schema and not all(isinstance(name, str) for name in schema["required"]):
        found.append(f"{where}: required")
    if "enum" in schema and not schema["enum"]:
        found.append(f"{where}: enum is too short")
    for name, one in schema.get("properties", {}).items():
        found += refuse(one, f"{where}.{name}")
    for name in NESTED:
        found += refuse(schema.get(name, True), f"{where}.{name}")
    for name in LISTED:
        for one in schema.get(name, []):
            found += refuse(one, f"{where}.{name}")
    return found


WORDS = st.sampled_from(
    [*TYPES, "java.lang.String", "Boolean", "java.util.List<java.lang.Long>", "str | None", "any"]
)
HALF = st.recursive(
    st.fixed_dictionaries(
        {}, optional={"type": st.none() | WORDS | st.lists(WORDS, max_size=2) | st.integers()}
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.none() | WORDS,
            "properties": st.none()
            | st.just([])
            | st.dictionaries(st.sampled_from(["type", "a", "required"]), st.none() | st.booleans() | inner),
            "required": st.none() | st.booleans() | st.lists(st.none() | st.just("a")),
            "items": st.none() | st.booleans() | inner | st.lists(inner, max_size=2),
            "enum": st.none() | st.lists(st.just("a"), max_size=1),
            "additionalProperties": st.none() | st.booleans() | inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "default": st.none(),
        },
    ),
    max_leaves=8,
)


@given(HALF, st.booleans())
def test_no_validator_refuses_what_was_half_said(schema: dict[str, Any], is_strict: bool) -> None:
    before = json.dumps(schema)
    made = complete_parameters(schema, is_strict=is_strict)
    assert refuse(made) == []
    assert complete_parameters(made, is_strict=is_strict) is made, "what is whole stays as it is"
    assert json.dumps(schema) == before, "what the client said is not changed"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("java.lang.String", "string"),
        ("java.lang.Integer", "integer"),
        ("java.math.BigDecimal", "number"),
        ("java.util.List<java.lang.String>", "array"),
        ("[Ljava.lang.String;", "array"),
        ("int[]", "array"),
        ("System.Int64", "integer"),
        ("STRING", "string"),
        ("dict[str, int]", "object"),
        ("NoneType", "null"),
        ("str | None", ["string", "null"]),
        (["String", "null"], ["string", "null"]),
        ("java.lang.Object", None),
        ("com.example.Person", None),
        ("", None),
        (7, None),
    ],
)
def test_types_of_other_languages_become_what_they_mean(given: Any, meant: Any) -> None:
    assert complete_schema({"type": given, "description": "d"}).get("type") == meant


def test_objects_of_free_form_stay_free() -> None:
    """An empty list of properties alone is read as an object without members by some."""
    inner = complete_parameters({"type": "object", "properties": {"any": {"type": "object"}}})["properties"]
    assert inner["any"] == {"type": "object", "properties": {}, "additionalProperties": True}
    closed = {"type": "object", "additionalProperties": {"type": "string"}}
    assert complete_schema(closed) == closed | {"properties": {}}


def test_the_same_comes_back_where_nothing_is_to_be_done() -> None:
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    ]
    assert complete_tools(tools) is tools
    foreign = [{"type": "file_search", "own": {"type": "object"}}]
    assert complete_tools(foreign) is foreign


def test_what_is_too_deep_goes_as_it_came() -> None:
    schema: dict[str, Any] = {"type": "array"}
    for _ in range(MOST_LEVELS + 400):
        schema = {"type": "array", "items": schema}
    assert complete_schema(schema) == schema


@pytest.mark.parametrize(
    ("form", "tool"),
    [
        ("chat", {"type": "function", "function": {"name": "f", "parameters": None}}),
        ("messages", {"name": "f", "input_schema": {"type": "object"}}),
        ("responses", {"type": "function", "name": "f", "parameters": {"required": None}}),
    ],
)
def test_in_a_body_that_passes_whole_tools_stay_the_bytes_that_they_were(form: str, tool: Any) -> None:
    whole = b'{"type": "web_search_20250305",  "big": 123456789012345678901234567890}'
    half = json.dumps(tool).encode()
    made = bytes(complete_raw_tools(msgspec.Raw(b"[%b,%b]" % (whole, half)), RAW_TOOLS[form]))
    assert whole in made
    assert half not in made
    assert b'"properties":{}' in made
    alone = msgspec.Raw(b"[%b]" % whole)
    assert complete_raw_tools(alone, RAW_TOOLS[form]) is alone


@pytest.mark.parametrize("tools", [b"7", b'{"a":1}', b"[1,null]", b'["\\ud800"]', b"[" * 2000 + b"]" * 2000])
def test_what_are_no_tools_is_the_backends_to_refuse(tools: bytes) -> None:
    given = msgspec.Raw(tools)
    assert complete_raw_tools(given, RAW_TOOLS["chat"]) is given
