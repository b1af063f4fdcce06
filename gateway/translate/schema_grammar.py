"""What of a JSON schema a backend cannot compile to a grammar, which would fail the whole request. Pure.

Which keywords, and which values of them, is the dialect's to say (`schema_grammar`). Without them more
answers fit the schema, and none that fitted does not.
"""

from __future__ import annotations

import operator
import re
from functools import lru_cache, partial
from typing import Any

import msgspec

from backends.wire.dialect import Dialect, SchemaGrammar
from gateway.diagnostics import Diagnostics
from gateway.translate.json_schema import Schema, map_schemas, without_keywords

Fields = dict[str, msgspec.Raw]

LONGEST_PATTERN = 300
REPEATS = ("minLength", "maxLength", "minItems", "maxItems")


def fit_schema(schema: Schema, dialect: Dialect, field: str, to: str, diagnostics: Diagnostics) -> Schema:
    """Take out of a schema, which came as `field` and goes as `to`, what is not compiled."""
    grammar = dialect.schema_grammar
    if grammar is None:
        return schema
    dropped: set[str] = set()
    made = map_schemas(schema, partial(_fit_one, grammar=grammar, dropped=dropped))
    if dropped:
        names = ", ".join(sorted(dropped))
        diagnostics.note_changed(field, to, f"without {names}, which this kind of backend cannot compile")
    return made


def fit_tools(tools: list[Any], dialect: Dialect, diagnostics: Diagnostics) -> list[Any]:
    """Do so in the tools of a chat completion, and drop keywords that are refused.

    The same list comes back where nothing is to be done.
    """
    tools = _drop_keywords(tools, dialect, diagnostics)
    if dialect.schema_grammar is None:
        return tools
    made = [_fit_tool(tool, dialect, f"tools[{place}]", diagnostics) for place, tool in enumerate(tools)]
    return tools if all(map(operator.is_, made, tools)) else made


def _drop_keywords(tools: list[Any], dialect: Dialect, diagnostics: Diagnostics) -> list[Any]:
    names = frozenset(dialect.drop_schema_keywords)
    made = [_without_keywords(tool, names) for tool in tools] if names else tools
    if made == tools:
        return tools
    diagnostics.note_changed("tools", "tools", f"schemas without {', '.join(dialect.drop_schema_keywords)}")
    return made


def _without_keywords(tool: Any, names: frozenset[str]) -> Any:
    """Take keywords out of a tool's function and its schema at every level."""
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return tool
    members = {name: value for name, value in function.items() if name not in names}
    if isinstance(members.get("parameters"), dict):
        members["parameters"] = without_keywords(members["parameters"], names)
    return {**tool, "function": members}


def _fit_tool(tool: Any, dialect: Dialect, where: str, diagnostics: Diagnostics) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("parameters"), dict):
        return tool
    schema = function["parameters"]
    made = fit_schema(schema, dialect, where, "tools", diagnostics)
    return tool if made is schema else {**tool, "function": {**function, "parameters": made}}


def fit_raw_schemas(fields: Fields, dialect: Dialect, diagnostics: Diagnostics) -> Fields:
    """Do so in the tools and the form of an answer of a body that passes."""
    names = ("tools", "response_format", "json_schema") if dialect.schema_grammar else ("tools",)
    for name in names:
        if name not in fields:
            continue
        try:
            given = msgspec.json.decode(fields[name])
        except (msgspec.DecodeError, RecursionError):
            continue  # it is the backend's to refuse
        if name == "tools":
            made = fit_tools(given, dialect, diagnostics) if isinstance(given, list) else given
        else:
            made = _fit_form(given, dialect, name, diagnostics) if isinstance(given, dict) else given
        if made is not given:
            fields = {**fields, name: msgspec.Raw(msgspec.json.encode(made))}
    return fields


def _fit_form(form: Schema, dialect: Dialect, name: str, diagnostics: Diagnostics) -> Schema:
    """Fit the schema in `response_format`, wherever one of the forms has it; or a bare one."""
    if name == "json_schema":
        return fit_schema(form, dialect, name, name, diagnostics)
    named = form.get("json_schema")
    if isinstance(named, dict):
        made = _fit_form(named, dialect, name, diagnostics)
        return form if made is named else {**form, "json_schema": made}
    schema = form.get("schema")
    if not isinstance(schema, dict):
        return form
    made = fit_schema(schema, dialect, name, name, diagnostics)
    return form if made is schema else {**form, "schema": made}


def _fit_one(schema: Schema, *, grammar: SchemaGrammar, dropped: set[str]) -> Schema:
    found = {name for name in schema if not _is_compiled(name, schema[name], grammar)}
    if not found:
        return schema
    dropped |= found
    return {name: value for name, value in schema.items() if name not in found}


def _is_compiled(name: str, value: Any, grammar: SchemaGrammar) -> bool:
    if name == "pattern":
        return isinstance(value, str) and _is_plain_pattern(value, grammar.pattern)
    if name == "format":
        return value in grammar.formats
    if name == "$ref":
        return isinstance(value, str) and value.startswith("#/")
    if name == "items":
        return value != {} and value is not True  # an empty schema is taken for an object there
    return name not in REPEATS or (type(value) is int and 0 <= value <= grammar.most_repeats)


@lru_cache(maxsize=256)
def _find_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _is_plain_pattern(value: str, plain: str) -> bool:
    """Say whether a pattern has nothing but what is compiled, and is a pattern at all."""
    if len(value) > LONGEST_PATTERN or not _find_pattern(plain).fullmatch(value):
        return False
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError):
        return False
    return True
