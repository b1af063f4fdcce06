"""What of a schema llama.cpp compiles to a grammar, and what it fails on."""

import json
from typing import Any

import msgspec
import pytest

from backends.wire.dialects import DIALECTS
from gateway.diagnostics import SILENT, Diagnostics
from gateway.translate.schema_grammar import fit_raw_schemas, fit_schema, fit_tools

LLAMA = DIALECTS["llamacpp"]


def fit(schema: dict[str, Any]) -> dict[str, Any]:
    return fit_schema(schema, LLAMA, "tools", "tools", SILENT)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[a-z]+$",
        r"^[A-Z]{2,3}-(a|b)+\.x?$",
        r"^[^/]*$",
        '^a"b$',
        r"^.*$",
        r"^(one|two)$",
        r"^\(\d\)$".replace(r"\d", "x"),
    ],
)
def test_a_plain_pattern_stays(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert fit(schema) is schema


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?!\.)[a-z]+$",
        r"^(?<=a)b$",
        r"^(?:a)$",
        r"^\d+$",
        r"^[\w]+$",
        r"^\s*$",
        r"^\bword\b$",
        r"^\p{L}+$",
        r"^[a\-z]$",
        r"^a\/b$",
        r"^a+?$",
        r"^a{1,99999}$",
        r"^a{2}{3}$",
        "abc",
        "^abc",
        "abc$",
        "^(a$",
        "^a)$",
        "^[a$",
        "^*a$",
        "",
        "^" + "a" * 400 + "$",
        "^" + "(" * 140 + "$",
        7,
        None,
    ],
)
def test_a_pattern_that_fails_the_request_goes(pattern: Any) -> None:
    assert fit({"type": "string", "pattern": pattern}) == {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "left"),
    [
        ({"type": "string", "format": "email"}, {"type": "string"}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "string", "format": 7}, {"type": "string"}),
        ({"type": "string", "maxLength": 2001}, {"type": "string"}),
        ({"type": "string", "maxLength": 2000}, {"type": "string", "maxLength": 2000}),
        ({"type": "string", "minLength": 1.5}, {"type": "string"}),
        ({"type": "array", "items": {}}, {"type": "array"}),
        ({"$ref": "https://example.org/s.json"}, {}),
        ({"$ref": "#/$defs/x"}, {"$ref": "#/$defs/x"}),
        ({"const": {"format": "email"}}, {"const": {"format": "email"}}),
        (
            {"properties": {"format": {"type": "string", "format": "uri"}}},
            {"properties": {"format": {"type": "string"}}},
        ),
    ],
)
def test_other_keywords(schema: dict[str, Any], left: dict[str, Any]) -> None:
    assert fit(schema) == left


def test_others_get_schemas_as_they_are() -> None:
    schema = {"type": "string", "pattern": "(?=x)", "format": "email"}
    assert fit_schema(schema, DIALECTS["vllm"], "", "", SILENT) is schema
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    assert fit_tools(tools, DIALECTS["openai"], SILENT) is tools


@pytest.mark.parametrize(
    "odd", [b"7", b"[1,null]", b'["\\ud800"]', b'{"schema":7}', b'[{"function":{"parameters":[]}}]']
)
def test_what_holds_no_schema_is_the_backends_to_refuse(odd: bytes) -> None:
    fields = {"tools": msgspec.Raw(odd), "response_format": msgspec.Raw(odd), "json_schema": msgspec.Raw(odd)}
    assert fit_raw_schemas(fields, LLAMA, SILENT) is fields


def test_the_trace_names_the_keywords() -> None:
    notes = Diagnostics()
    schema = {"type": "string", "pattern": "x", "format": "uri"}
    fields = {"response_format": msgspec.Raw(json.dumps({"json_schema": {"schema": schema}}).encode())}
    made = fit_raw_schemas(fields, LLAMA, notes)
    assert json.loads(bytes(made["response_format"])) == {"json_schema": {"schema": {"type": "string"}}}
    (note,) = notes.taken
    assert "format, pattern" in note.why
