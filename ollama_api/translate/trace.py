"""The account of one translation: every field of the request, and where it went. Pure.

What the translation noted stands as it is. A field of which it noted nothing must be found in the body, at
the place that the tables here name; one that is found nowhere is told as `lost`, which would be a bug, and is
looked for by tests over all requests that can be made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ollama_api.translate.notes import Note, Notes

# Field of the request -> member of the body, where no rule of a dialect says otherwise.
PLACES = {
    "model": "model",
    "messages": "messages",
    "prompt": "messages",
    "images": "messages",
    "system": "messages",
    "turns": "messages",
    "input": "messages",
    "instructions": "messages",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
    "stream": "stream",
    "format": "response_format",
    "text": "response_format",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "suffix": "suffix",
}
# What is ours to do, or to know, and no backend's.
OURS = {
    "keep_alive": "kept for /api/ps: a backend loads and unloads by itself",
    "truncate": "the backend keeps to its own context; what is too long for it is refused",
    "shift": "the backend keeps to its own context",
    "raw": "sent to the route that applies no template",
    "debug_render_only": "nothing is rendered here",
    "include": "what is asked for is in the answer, if the backend gives it",
    "store": "this server keeps no responses",
    "max_tool_calls": "it counts tools that OpenAI runs, and none run here",
    "metadata": "told back to the client",
    "reasoning": "see think",
}
PARTS = {"thinking": "earlier thinking is not sent back to this kind of backend"}
"""Parts of a message that a chat completion has no member for."""


def account(call: msgspec.Struct, body: dict[str, Any], notes: Notes) -> list[Note]:
    """Tell of every field that was said; what was not said needs no account."""
    noted = {note.field for note in notes.taken}
    found = [*_fields(call, body, noted), *_parts(call, body, noted)]
    return [*found, *notes.taken]


def _fields(call: msgspec.Struct, body: dict[str, Any], noted: set[str]) -> Iterator[Note]:
    for field in msgspec.structs.fields(call):
        value = getattr(call, field.name)
        if field.name in noted or _is_default(field, value) or field.name == "options":
            continue
        yield _placed(field.name, body)
    for name in getattr(call, "options", {}):
        if f"options.{name}" not in noted:
            yield _option(name, body)


def _placed(name: str, body: dict[str, Any]) -> Note:
    if name in OURS:
        return Note(name, "dropped", "", OURS[name])
    place = next((place for place in _places(name) if place in body), "")
    return Note(name, "mapped", place) if place else Note(name, "dropped", "", LOST)


LOST = "lost: nothing says why"


def _places(name: str) -> list[str]:
    own = [name, "input_prefix", "input_suffix", "json_schema"]
    return [PLACES.get(name, name), *(own if name in ("prompt", "suffix", "format") else [name])]


def _option(name: str, body: dict[str, Any]) -> Note:
    if name in body:
        return Note(f"options.{name}", "mapped", name)
    return Note(f"options.{name}", "dropped", "", UNKNOWN_OPTION)


UNKNOWN_OPTION = "Ollama knows no such option either, or it is null"


def _parts(call: msgspec.Struct, body: dict[str, Any], noted: set[str]) -> Iterator[Note]:
    """Tell of the parts of messages that did not go along."""
    for place, message in enumerate(getattr(call, "messages", ())):
        for part, why in PARTS.items():
            name = f"messages[{place}].{part}"
            if getattr(message, part, None) and name not in noted:
                yield Note(name, "dropped", "", why)


def _is_default(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    if value in (None, "", [], {}, msgspec.Raw(b"")):
        return True
    return (
        field.name not in ("model", "stream")
        and field.default is not msgspec.NODEFAULT
        and value == field.default
    )
