"""Members of a client's request that would choose a model or a place: they are not passed on. Pure.

Which ones those are is the dialect's to say (`routing_params`, `routing_tool_types`). What a profile or a
mapping adds is laid over afterwards, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from backends.wire.dialect import Dialect
from gateway import go_json
from gateway.diagnostics import SILENT, Diagnostics

Fields = dict[str, msgspec.Raw]
ValueT = TypeVar("ValueT")
Names = frozenset[str]

WHY = "the mapping says which model answers, and where"
NO_TOOL = "no tool is left"
TOOLS = "tools"
ABOUT_TOOLS = frozenset({TOOLS, "tool_choice", "parallel_tool_calls"})
"""What servers refuse where no tool is left."""
NONE: Names = frozenset()

_fields = msgspec.json.Decoder(Fields)
_parts = msgspec.json.Decoder(list[msgspec.Raw])


def is_routing_field(name: str, dialect: Dialect) -> bool:
    """Say whether a form's field chooses a model or a place, or is a text that may hold what does."""
    base = name.partition("[")[0].casefold()
    return base in dialect.routing_params or base in _inner(dialect.routing_params)


def without_routing(fields: Fields, dialect: Dialect, diagnostics: Diagnostics = SILENT) -> Fields:
    """Leave out a client's members by which this kind of backend chooses a model or a place.

    In whatever case: some servers do not tell cases apart.
    """
    members = dialect.routing_params
    if not members and not dialect.routing_tool_types:
        return fields
    found = [name for name in fields if name.casefold() in members]
    if found:
        fields = {name: value for name, value in fields.items() if name not in found}
        for name in found:
            diagnostics.note_dropped(name, WHY)
    inner = _inner(members)
    if inner or dialect.routing_tool_types:
        for name in [name for name in fields if name in inner or name == TOOLS]:
            fields = _within(fields, name, inner.get(name, NONE), dialect.routing_tool_types, diagnostics)
    return fields


def client_tools(
    tools: list[dict[str, Any]], dialect: Dialect, diagnostics: Diagnostics = SILENT
) -> list[dict[str, Any]]:
    """Leave out of decoded tools what would choose a model or a place."""
    members = _inner(dialect.routing_params).get(TOOLS, NONE)
    if not members and not dialect.routing_tool_types:
        return tools
    remaining = [
        (place, tool) for place, tool in enumerate(tools) if not _routes(tool, dialect.routing_tool_types)
    ]
    for place in sorted(set(range(len(tools))) - {place for place, _ in remaining}):
        diagnostics.note_dropped(f"{TOOLS}[{place}]", WHY)
    return [_without(tool, members, f"{TOOLS}[{place}]", diagnostics) for place, tool in remaining]


@lru_cache(maxsize=256)
def _inner(members: Names) -> Mapping[str, Names]:
    """Give the members that stand within others: `tools.model` is `model` within `tools`."""
    found: dict[str, set[str]] = {}
    for name in members:
        outer, dot, inner = name.partition(".")
        if dot:
            found.setdefault(outer, set()).add(inner)
    return {outer: frozenset(names) for outer, names in found.items()}


def _within(
    fields: Fields, name: str, members: Names, types: Iterable[str], diagnostics: Diagnostics
) -> Fields:
    """Look into one member: an object, or a list of objects. A text that may hold one goes as a whole."""
    value = fields[name]
    kind = bytes(memoryview(value)[:1])
    if kind == b'"' and members:
        diagnostics.note_dropped(name, WHY)
        return {other: member for other, member in fields.items() if other != name}
    types = types if name == TOOLS else ()
    if not _may_hold(bytes(value), members, types):
        return fields
    if kind == b"{":
        inner = _object(value)
        cleaned = _without(inner, members, name, diagnostics)
        return fields if cleaned is inner else {**fields, name: _raw(cleaned)}
    if kind != b"[":
        return fields
    parts = _parts.decode(value)
    left = _without_parts(parts, name, members, types, diagnostics)
    if name == TOOLS and parts and not left:
        for other in [other for other in fields if other in ABOUT_TOOLS]:
            diagnostics.note_dropped(other, NO_TOOL)
        return {other: member for other, member in fields.items() if other not in ABOUT_TOOLS}
    return fields if left == parts else {**fields, name: _raw(left)}


def _may_hold(data: bytes, members: Names, types: Iterable[str]) -> bool:
    """Say whether a closer look is needed: mostly there is none of it, and tools are long."""
    if not data.isascii() or b"\\u" in data:
        return True
    low = data.lower()
    return any(f'"{name}"'.encode() in low for name in members) or any(
        f'"{pattern.partition("*")[0]}'.encode() in low for pattern in types
    )


def _without_parts(
    parts: list[msgspec.Raw], name: str, members: Names, types: Iterable[str], diagnostics: Diagnostics
) -> list[msgspec.Raw]:
    left = []
    for place, part in enumerate(parts):
        if bytes(memoryview(part)[:1]) != b"{":
            left.append(part)
            continue
        inner, where = _object(part), f"{name}[{place}]"
        if _routes({"type": _text(inner.get("type"))}, types):
            diagnostics.note_dropped(where, WHY)
            continue
        cleaned = _without(inner, members, where, diagnostics)
        left.append(part if cleaned is inner else _raw(cleaned))
    return left


def _without(
    part: dict[str, ValueT], members: Names, where: str, diagnostics: Diagnostics = SILENT
) -> dict[str, ValueT]:
    """Leave members out of an object; the same one comes back where there are none of them."""
    found = [name for name in part if name.casefold() in members]
    for name in found:
        diagnostics.note_dropped(f"{where}.{name}", WHY)
    return {name: value for name, value in part.items() if name not in found} if found else part


def _routes(tool: Mapping[str, Any], types: Iterable[str]) -> bool:
    kind = tool.get("type")
    return isinstance(kind, str) and any(fnmatchcase(kind.casefold(), pattern) for pattern in types)


def _object(part: msgspec.Raw) -> Fields:
    """Take an object apart, also one with text in it that only some parsers take."""
    try:
        return _fields.decode(part)
    except (msgspec.DecodeError, RecursionError):
        return {name: _raw(value) for name, value in go_json.first_value(bytes(part)).items()}


def _text(value: msgspec.Raw | None) -> Any:
    if value is None or bytes(memoryview(value)[:1]) != b'"':
        return None
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return go_json.first_value(bytes(value))


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
