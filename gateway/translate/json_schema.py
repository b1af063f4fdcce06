"""JSON schemas that clients write: half ones are completed, and what a backend cannot read is left out. Pure.

Whatever comes back unchanged is the same object. Schemas are walked to a depth that no tool has.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

Schema = dict[str, Any]

MOST_LEVELS = 64
"""Levels of schemas in schemas; what stands deeper goes as it came."""
NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose members are schemas, named by who wrote them."""
INNER_SCHEMAS = frozenset(
    [
        "items",
        "prefixItems",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
    ]
)
"""Keywords that hold a schema, or a list of them."""
HOLDERS = NAMED_SCHEMAS | INNER_SCHEMAS
PLAIN_TYPES = frozenset({"string", "integer", "number", "boolean", "null"})
MAY_BE_NULL = frozenset({"default", "const", "example", "examples"})
"""Keywords that say something by null."""
SAYS_MORE = frozenset({"$ref", "allOf", "anyOf", "oneOf", "patternProperties"})
"""Keywords that tell of an object's members beside `properties`."""
# What other languages call the types. Java's and .NET's `Object` is anything, so it is none of them.
TYPE_NAMES = {
    "string": "string str text char character charsequence uuid date datetime localdate uri url",
    "integer": "integer int long short byte biginteger bigint int8 int16 int32 int64 uint uint32 uint64",
    "number": "number float double decimal bigdecimal float32 float64 numeric single real",
    "boolean": "boolean bool",
    "array": "array list arraylist set hashset collection iterable tuple sequence vector",
    "object": "object dict dictionary map hashmap linkedhashmap mapping record struct jsonobject",
    "null": "null none nil nonetype void",
}
TYPES = {name: kind for kind, names in TYPE_NAMES.items() for name in names.split()}
ANYTHING = frozenset({"java.lang.object", "system.object"})


def map_schemas(schema: Schema, change: Callable[[Schema], Schema], level: int = 0) -> Schema:
    """Apply a change to a schema and to those within it, the innermost first."""
    made = schema
    if level < MOST_LEVELS and not HOLDERS.isdisjoint(schema):
        for name in HOLDERS.intersection(schema):
            value = schema[name]
            inner = _map_member(name, value, change, level + 1)
            if inner is not value:
                made = {**made, name: inner}
    return change(made)


def _map_member(name: str, value: Any, change: Callable[[Schema], Schema], level: int) -> Any:
    if isinstance(value, dict) and name in NAMED_SCHEMAS:
        named = {
            key: map_schemas(one, change, level) if isinstance(one, dict) else one
            for key, one in value.items()
        }
        return named if any(named[key] is not value[key] for key in value) else value
    if isinstance(value, dict):
        return map_schemas(value, change, level)
    if isinstance(value, list) and name in INNER_SCHEMAS:
        items = [map_schemas(one, change, level) if isinstance(one, dict) else one for one in value]
        return value if all(map(operator.is_, items, value)) else items
    return value


def without_keywords(schema: Schema, names: frozenset[str]) -> Schema:
    """Take keywords out at every level; properties may be called as keywords are, and stay."""

    def change(one: Schema) -> Schema:
        if names.isdisjoint(one):
            return one
        return {name: value for name, value in one.items() if name not in names}

    return map_schemas(schema, change)


def complete_schema(schema: Schema, *, is_strict: bool = False) -> Schema:
    """Complete a schema at every level, so that validators take it and it means what it meant.

    Args:
        schema: as a client wrote it.
        is_strict: whether OpenAI's strict mode was asked for, which knows no objects of free form.
    """
    return map_schemas(schema, partial(_complete_one, is_strict=is_strict))


def _complete_one(schema: Schema, *, is_strict: bool) -> Schema:
    kind = schema.get("type")
    is_plain = isinstance(kind, str) and kind in PLAIN_TYPES
    if is_plain and LOOKED_INTO.isdisjoint(schema) and None not in schema.values():
        return schema  # as most are
    made = schema
    for name, complete in COMPLETED.items():
        if name in made and (value := complete(made[name])) is not made[name]:
            made = {**made, name: value}
    if any(value is None and name not in MAY_BE_NULL for name, value in made.items()):
        made = {name: value for name, value in made.items() if value is not None or name in MAY_BE_NULL}
    kind = made.get("type")
    if kind == "object" and "properties" not in made and SAYS_MORE.isdisjoint(made):
        is_free = not is_strict and "additionalProperties" not in made
        made = {**made, "properties": {}} | ({"additionalProperties": True} if is_free else {})
    has_items = kind == "array" or (isinstance(kind, list) and "array" in kind)
    if has_items or not isinstance(made.get("items", True), dict | bool):
        made = _complete_array(made)
    return made


def _complete_array(schema: Schema) -> Schema:
    """Say of which kind the items are: of any, where nothing was said. A list of kinds has a newer name."""
    items = schema.get("items")
    if isinstance(items, list):
        return {**schema, "prefixItems": items, "items": {}} if items else {**schema, "items": {}}
    return schema if isinstance(items, dict) or items is False else {**schema, "items": {}}


def _complete_type(given: Any) -> Any:
    """Give JSON schema's name of a type, or of several; None where it has none."""
    if isinstance(given, str):
        names = given.split("|") if "|" in given and "<" not in given else [given]
    elif isinstance(given, list):
        names = [name for name in given if isinstance(name, str)]
    else:
        return None
    kinds = [*dict.fromkeys(kind for name in names if (kind := _find_type(name)))]
    if isinstance(given, list):
        return given if kinds == given else kinds or None
    if len(kinds) > 1:
        return kinds
    return given if kinds == [given] else kinds[0] if kinds else None


def _find_type(name: str) -> str | None:
    """Find what another language's name of a type means."""
    plain = name.strip().casefold()
    if plain in ANYTHING:
        return None
    if plain.endswith("[]") or plain.startswith("["):
        return "array"
    bare = plain.partition("<")[0].partition("[")[0]
    return TYPES.get(bare.rpartition(".")[2])


def _complete_properties(given: Any) -> Any:
    """Give the properties: PHP writes an empty object as a list, and a property of any kind may be `true`."""
    if not isinstance(given, dict):
        return {} if given == [] else None
    if all(isinstance(one, dict) or one is False for one in given.values()):
        return given
    return {name: one if isinstance(one, dict) or one is False else {} for name, one in given.items()}


def _complete_required_names(given: Any) -> Any:
    if not isinstance(given, list):
        return None
    names = [name for name in given if isinstance(name, str)]
    return given if names == given else names


def _complete_enum(given: Any) -> Any:
    return given if isinstance(given, list) and given else None


COMPLETED: dict[str, Callable[[Any], Any]] = {
    "type": _complete_type,
    "properties": _complete_properties,
    "required": _complete_required_names,
    "enum": _complete_enum,
}
"""Keyword -> what makes of its value one that validators take; None takes it out."""
LOOKED_INTO = frozenset(COMPLETED) - {"type"} | {"items"}
