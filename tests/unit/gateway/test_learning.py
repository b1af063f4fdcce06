"""What a refusal teaches, and bodies that are built accordingly."""

import json
from typing import Any

import msgspec
import pytest

from backends.errors import RefusedField
from backends.wire.dialects import DIALECTS
from backends.wire.droppable import Droppable
from gateway.diagnostics import SILENT, Diagnostics
from gateway.translate.learning import (
    NO_LESSON,
    Lesson,
    apply_lesson,
    find_lesson,
    list_forced_members,
    merge_lessons,
)

GENERIC = DIALECTS["generic"]
TOOL = {
    "type": "function",
    "function": {"name": "f", "strict": True, "parameters": {"properties": {"format": {"format": "email"}}}},
}
FLAT = {
    "type": "function",
    "name": "f",
    "strict": True,
    "parameters": {"properties": {"format": {"format": "email"}}},
}
ANTHROPIC = {"name": "f", "input_schema": {"properties": {"format": {"format": "email"}}}}
SENT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": "y"}],
    "temperature": 0.5,
    "presence_penalty": 1,
    "stream_options": {"include_usage": True},
    "max_tokens": 5,
    "stop": ["a"],
    "tools": [TOOL],
}


def conclude(place: Any, name: str, forced: set[str] | None = None, **sent: Any) -> Lesson:
    return find_lesson([RefusedField(place, name)], SENT | sent, Droppable(), forced or set())


@pytest.mark.parametrize(
    ("place", "name", "lesson"),
    [
        ("body", "temperature", Lesson(("temperature",))),
        ("body", "presencePenalty", Lesson(("presence_penalty",))),
        ("body", "stream_options.include_usage", Lesson(("stream_options",))),
        ("body", "max_tokens", Lesson(rename_params={"max_tokens": "max_completion_tokens"})),
        ("schema", "format", Lesson(drop_schema_keywords=("format",))),
        ("schema", "strict", Lesson(drop_schema_keywords=("strict",))),
        ("role", "developer", Lesson(rename_roles={"developer": "system"})),
        ("role", "", Lesson(rename_roles={"developer": "system"})),
        ("body", "top_k", NO_LESSON),
        ("body", "stop", NO_LESSON),
        ("body", "messages", NO_LESSON),
        ("body", "tools", NO_LESSON),
        ("body", "", NO_LESSON),
        ("schema", "pattern", NO_LESSON),
        ("schema", "type", NO_LESSON),
        ("schema", "properties", NO_LESSON),
        ("role", "user", NO_LESSON),
        ("role", "system", NO_LESSON),
    ],
)
def test_what_is_concluded(place: Any, name: str, lesson: Lesson) -> None:
    assert conclude(place, name) == lesson


def test_what_is_forced_may_be_renamed_and_not_dropped() -> None:
    assert conclude("body", "temperature", {"temperature"}) == NO_LESSON
    assert conclude("body", "max_tokens", {"max_tokens"}).rename_params


def test_of_a_limit_under_both_names_the_one_stays_that_is_taken() -> None:
    lesson = conclude("body", "max_tokens", max_completion_tokens=6)
    built = apply_lesson({"max_tokens": 5, "max_completion_tokens": 6}, lesson, GENERIC, set(), SILENT)
    assert built == {"max_completion_tokens": 6}


def test_what_an_operator_forces() -> None:
    dialect = msgspec.structs.replace(GENERIC, body={"seed": 1})
    found = list_forced_members(None, ["num_predict", "temperature"], dialect)
    assert found == {"seed", "max_tokens", "temperature"}


LESSON = Lesson(
    ("temperature",), {"max_tokens": "max_completion_tokens"}, ("format", "strict"), {"developer": "system"}
)


@pytest.mark.parametrize("raw", [False, True], ids=["built", "passed"])
@pytest.mark.parametrize("tool", [TOOL, FLAT, ANTHROPIC], ids=["chat", "responses", "messages"])
def test_a_body_is_built_as_the_lesson_has_it(tool: Any, raw: bool) -> None:
    given: dict[str, Any] = SENT | {"tools": [tool]}
    if raw:
        given = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in given.items()}
    diagnostics = Diagnostics()
    built = apply_lesson(given, LESSON, GENERIC, set(), diagnostics)
    body = json.loads(msgspec.json.encode(built))
    assert "temperature" not in body
    assert body["max_completion_tokens"] == 5
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    assert json.dumps(body["tools"]).count("format") == 1
    assert "strict" not in json.dumps(body["tools"])
    assert {note.field for note in diagnostics.taken} == {
        "options.temperature",
        "max_tokens",
        "tools",
        "messages",
    }
    assert apply_lesson(built, LESSON, GENERIC, set(), SILENT) == built
    untouched = {"model", "stop", "presence_penalty", "stream_options"}
    assert {name: body[name] for name in untouched} == {name: SENT[name] for name in untouched}


def test_a_field_is_told_by_the_name_that_the_client_gave_it() -> None:
    diagnostics = Diagnostics()
    diagnostics.note_mapped("think", "reasoning_effort")
    diagnostics.note_added("stream_options", "counted")
    lesson = Lesson(("reasoning_effort", "stream_options"))
    apply_lesson({"reasoning_effort": "low", "stream_options": {}}, lesson, GENERIC, set(), diagnostics)
    assert [(note.field, note.verdict) for note in diagnostics.taken] == [
        ("think", "dropped"),
        ("stream_options", "dropped"),
    ]


def test_what_nobody_can_decode_passes_as_it_came() -> None:
    given = {
        "tools": msgspec.Raw(b'{"a":1}'),
        "messages": msgspec.Raw(b'"hi"'),
        "input": msgspec.Raw(b"nope"),
    }
    assert apply_lesson(given, LESSON, GENERIC, set(), SILENT) == given
    assert find_lesson([RefusedField("role", "")], given, Droppable(), set()) == NO_LESSON


def test_lessons_add_up_and_are_told_in_a_line() -> None:
    whole = merge_lessons(LESSON, Lesson(("top_p", "temperature")))
    assert whole.drop_params == ("temperature", "top_p")
    assert merge_lessons(whole, whole) == whole
    assert whole.describe() == (
        "without temperature, without top_p, max_tokens as max_completion_tokens, schemas without format, "
        "schemas without strict, role developer as system"
    )
