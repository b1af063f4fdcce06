"""What a backend's refusals teach of the fields that it takes, and bodies built accordingly. Pure.

Only fields of the dialect's table (`Dialect.droppable`) can be learnt, and never what an operator forces.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from backends.errors import RefusedField
from backends.wire.dialect import Dialect
from backends.wire.droppable import Droppable
from gateway.diagnostics import Diagnostics
from gateway.translate.chat_completions import name_as_client
from gateway.translate.json_schema import without_keywords

Fields = dict[str, Any]
LEARNT = "learnt from a refusal of this backend for this model"
CONVERSATIONS = ("messages", "input")
"""Members that hold turns, by API."""
SCHEMAS = ("parameters", "input_schema")
"""Members of a tool that hold its schema, by API."""


class Lesson(msgspec.Struct, frozen=True, omit_defaults=True):
    """What differs from the dialect, for one model of a backend."""

    drop_params: tuple[str, ...] = ()
    rename_params: dict[str, str] = {}
    drop_schema_keywords: tuple[str, ...] = ()
    rename_roles: dict[str, str] = {}

    def describe(self) -> str:
        """Tell it in a line: names are those of the dialect's table."""
        parts = [f"without {name}" for name in self.drop_params]
        parts += [f"{name} as {to}" for name, to in self.rename_params.items()]
        parts += [f"schemas without {name}" for name in self.drop_schema_keywords]
        return ", ".join([*parts, *(f"role {name} as {to}" for name, to in self.rename_roles.items())])


NO_LESSON = Lesson()


def merge_lessons(before: Lesson, more: Lesson) -> Lesson:
    """Add what was learnt later."""
    return Lesson(
        _join(before.drop_params, more.drop_params),
        {**before.rename_params, **more.rename_params},
        _join(before.drop_schema_keywords, more.drop_schema_keywords),
        {**before.rename_roles, **more.rename_roles},
    )


def _join(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def find_lesson(
    refused: Iterable[RefusedField], sent: Mapping[str, Any], droppable: Droppable, forced: Collection[str]
) -> Lesson:
    """Conclude from a refusal of a body that was sent how to ask without what was refused.

    `sent`: the body's members, which need not be decoded; `forced`: members that an operator wants sent, if
    need be under another name.
    """
    lesson = NO_LESSON
    for field in refused:
        lesson = merge_lessons(lesson, _conclude(field, sent, droppable, forced))
    return lesson


def _conclude(
    field: RefusedField, sent: Mapping[str, Any], droppable: Droppable, forced: Collection[str]
) -> Lesson:
    if field.place == "schema":
        is_there = field.name in droppable.schema_keywords and _holds_keyword(sent.get("tools"), field.name)
        return Lesson(drop_schema_keywords=(field.name,)) if is_there else NO_LESSON
    if field.place == "role":
        return _conclude_role(field.name, sent, droppable)
    name = next((name for name in (field.name, _snake_case(field.name)) if name in sent), "")
    top = name or field.name.partition(".")[0]  # stream_options.include_usage
    if top not in sent:
        return NO_LESSON
    other = droppable.renames.get(top, top)
    if other != top:
        return Lesson(rename_params={top: other})
    is_ours = top in droppable.params and top not in forced
    return Lesson(drop_params=(top,)) if is_ours else NO_LESSON


def _conclude_role(name: str, sent: Mapping[str, Any], droppable: Droppable) -> Lesson:
    """Rename the role that was refused; if the server names none, the first of the table that is there."""
    there = {_role_of(turn) for member in CONVERSATIONS for turn in _decode_turns(sent.get(member))}
    found = next((role for role in droppable.roles if role in there and name in ("", role)), None)
    return Lesson(rename_roles={found: droppable.roles[found]}) if found else NO_LESSON


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def list_forced_members(operation: Any, forced_options: Iterable[str], dialect: Dialect) -> set[str]:
    """List the members of a body that an operator forces: by the mapping, or by the backend's profile."""
    form = getattr(operation, "form", None)  # a protocol whose bodies pass may have names of its own
    names = (form.names if form is not None else None) or dialect
    wire = {"num_predict": names.max_tokens, **names.options}
    return {*dialect.body, *(wire.get(option, option) for option in forced_options)}


def apply_lesson(
    body: Mapping[str, Any],
    lesson: Lesson,
    dialect: Dialect,
    forced: Collection[str],
    diagnostics: Diagnostics,
) -> Mapping[str, Any]:
    """Build a body as the lesson has it. What an operator forces is sent all the same."""
    changed = dict(body)
    for name in lesson.drop_params:
        if name in changed and name not in forced:
            del changed[name]
            field = diagnostics.withdraw(name) or name_as_client(name, dialect)
            diagnostics.note_dropped(field, LEARNT)
    for name, other in lesson.rename_params.items():
        if name in changed:
            field = diagnostics.withdraw(name) or name_as_client(name, dialect)
            diagnostics.note_changed(field, other, LEARNT)
            changed.setdefault(other, changed.pop(name))
    if lesson.drop_schema_keywords and "tools" in changed:
        changed["tools"] = _clean_tools(changed["tools"], lesson, diagnostics)
    if lesson.rename_roles:
        for member in CONVERSATIONS:
            if member in changed:
                changed[member] = _with_other_roles(changed[member], member, lesson, diagnostics)
    return changed


def _clean_tools(tools: Any, lesson: Lesson, diagnostics: Diagnostics) -> Any:
    given = _decode(tools)
    cleaned = _without_keywords(given, frozenset(lesson.drop_schema_keywords))
    if cleaned == given:
        return tools
    why = f"schemas without {', '.join(lesson.drop_schema_keywords)}: {LEARNT}"
    diagnostics.note_changed("tools", "tools", why)
    return _encode_like(tools, cleaned)


def _without_keywords(tools: Any, names: frozenset[str]) -> Any:
    """Take keywords out of the schemas of tools, and out of what stands beside them, such as `strict`."""
    return [_clean_tool(tool, names) for tool in tools] if isinstance(tools, list) else tools


def _clean_tool(tool: Any, names: frozenset[str]) -> Any:
    if not isinstance(tool, dict):
        return tool
    members = {name: value for name, value in tool.items() if name not in names}
    for member in SCHEMAS:
        if isinstance(members.get(member), dict):
            members[member] = without_keywords(members[member], names)
    if isinstance(members.get("function"), dict):
        members["function"] = _clean_tool(members["function"], names)
    return members


def _with_other_roles(turns: Any, member: str, lesson: Lesson, diagnostics: Diagnostics) -> Any:
    given = _decode_turns(turns)
    renamed = [
        {**turn, "role": lesson.rename_roles[role]}
        if (role := _role_of(turn)) in lesson.rename_roles
        else turn
        for turn in given
    ]
    if renamed == given:
        return turns
    diagnostics.note_changed(member, member, f"another name for a role: {LEARNT}")
    return _encode_like(turns, renamed)


def _holds_keyword(tools: Any, name: str) -> bool:
    given = _decode(tools)
    return bool(_without_keywords(given, frozenset((name,))) != given)


def _decode_turns(turns: Any) -> list[Any]:
    found = _decode(turns)
    return found if isinstance(found, list) else []


def _role_of(turn: Any) -> str:
    role = turn.get("role") if isinstance(turn, dict) else None
    return role if isinstance(role, str) else ""


def _decode(value: Any) -> Any:
    """Decode a member of a body that passes; what the backend was to refuse is nothing to us."""
    try:
        if isinstance(value, msgspec.Raw):
            return msgspec.json.decode(value)
        turns = value if isinstance(value, list) else []
        if any(isinstance(item, msgspec.Raw) for item in turns):
            return [msgspec.json.decode(item) if isinstance(item, msgspec.Raw) else item for item in turns]
    except (msgspec.DecodeError, RecursionError):
        return None
    return value


def _encode_like(before: Any, value: Any) -> Any:
    return msgspec.Raw(msgspec.json.encode(value)) if isinstance(before, msgspec.Raw) else value
