"""The account of one translation: every field of the request, and where it went. Pure.

What the translation noted stands as it is. A field of which it noted nothing must be found in the body, at
the place that the tables here name; one that is found nowhere is told as `lost`, which would be a bug, and is
looked for by tests over all requests that can be made up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from backends.routing.snapshot import Target
from gateway.diagnostics import Diagnostics, Note
from gateway.raw_body import RawBody
from gateway.translate.options import KINDS

# Field of the request -> the members of the body where it may stand.
PLACES: dict[str, tuple[str, ...]] = {
    "prompt": ("messages", "prompt", "input_prefix", "input"),
    "suffix": ("suffix", "input_suffix"),
    "images": ("messages",),
    "system": ("messages",),
    "turns": ("messages",),
    "input": ("messages", "input"),
    "texts": ("input",),
    "instructions": ("messages",),
    "format": ("response_format", "json_schema"),
    "text": ("response_format", "messages"),
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
TOLD_APART = frozenset({"options", "left_out", "token_limit", "is_counted"})
"""Fields of a request of which each member is told by itself, or which are no field of the client's."""
PARTS = {"thinking": "earlier thinking is not sent back to this kind of backend"}
"""Parts of a message that a chat completion has no member for."""


LOST = "lost: nothing says why"
UNASKED = "whole answers are what a backend gives unasked"
UNKNOWN_OPTION = "Ollama knows no such option, or it is null"


TRACE_HEADER = "X-Llamagate-Trace"
MOST_HEADER_BYTES = 6000
"""Proxies take headers of 8 KB and less; the command `trace` tells everything."""


class TraceReport(msgspec.Struct, frozen=True):
    """What became of a request on its way to one target."""

    backend: str
    model: str
    dialect: str
    notes: list[Note]


def report_target(
    target: Target, operation: Any, body: Mapping[str, Any], diagnostics: Diagnostics
) -> TraceReport:
    """Report on one target: of the request as its API parsed it, which is what the client knows."""
    notes = list_notes(getattr(operation, "private", None) or operation, body, diagnostics)
    return TraceReport(target.upstream.name, target.model, target.dialect.name, notes)


def report_members(target: Target, names: Iterable[str], diagnostics: Diagnostics) -> TraceReport:
    """Tell of one target of a body that is handed on: what was not left out went along as it came."""
    noted = {note.field for note in diagnostics.taken}
    plain = [Note(name, "mapped", name) for name in names if name not in noted]
    return TraceReport(target.upstream.name, target.model, target.dialect.name, [*plain, *diagnostics.taken])


def list_notes(call: msgspec.Struct, body: Mapping[str, Any], diagnostics: Diagnostics) -> list[Note]:
    """Tell of every field that was said; what was not said needs no account."""
    noted = {note.field for note in diagnostics.taken}
    if isinstance(call, RawBody):
        return [*_members(call, body, noted), *diagnostics.taken]
    return [*_fields(call, body, noted), *_parts(call, noted), *diagnostics.taken]


def _members(call: RawBody, body: Mapping[str, Any], noted: set[str]) -> Iterator[Note]:
    """Tell of a body that passes: each member stands where it stood."""
    for name in call.fields:
        if name not in noted:
            yield Note(name, "mapped", name) if name in body else Note(name, "dropped", "", LOST)


def _fields(call: msgspec.Struct, body: Mapping[str, Any], noted: set[str]) -> Iterator[Note]:
    for field in msgspec.structs.fields(call):
        value = getattr(call, field.name)
        if field.name not in noted and field.name not in TOLD_APART and _is_said(field, value):
            yield _locate(field.name, value, body)
    for name in getattr(call, "options", {}):
        if f"options.{name}" not in noted:
            yield _option(name, body)


def _locate(name: str, value: Any, body: Mapping[str, Any]) -> Note:
    if name in OURS:
        return Note(name, "dropped", "", OURS[name])
    if name == "stream" and not value:
        return Note(name, "dropped", "", UNASKED)
    place = next((place for place in PLACES.get(name, (name,)) if place in body), "")
    return Note(name, "mapped", place) if place else Note(name, "dropped", "", LOST)


def _option(name: str, body: Mapping[str, Any]) -> Note:
    if name in KINDS and name in body:
        return Note(f"options.{name}", "mapped", name)
    return Note(f"options.{name}", "dropped", "", UNKNOWN_OPTION)


def _parts(call: msgspec.Struct, noted: set[str]) -> Iterator[Note]:
    """Tell of the parts of messages that did not go along."""
    for place, message in enumerate(getattr(call, "messages", ())):
        for part, why in PARTS.items():
            name = f"messages[{place}].{part}"
            if getattr(message, part, None) and name not in noted:
                yield Note(name, "dropped", "", why)


def _is_said(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    """Say whether a field differs from what it is when nothing is said; the first two always count."""
    if field.name in ("model", "stream"):
        return True
    if isinstance(value, msgspec.Raw) and bytes(value) in (b"null", b'""'):
        return False
    default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    return value is not None and value != default


def as_header(accounts: list[TraceReport]) -> str:
    """Write accounts as JSON that may stand in a header: what is plain is left out first where it is long."""
    for shortened in (accounts, [_without_plain(one) for one in accounts], [_bare(one) for one in accounts]):
        text = json.dumps(msgspec.to_builtins(shortened), separators=(",", ":"))
        if len(text) <= MOST_HEADER_BYTES:
            return text
    return "[]"


def _without_plain(one: TraceReport) -> TraceReport:
    return msgspec.structs.replace(one, notes=[note for note in one.notes if note.verdict != "mapped"])


def _bare(one: TraceReport) -> TraceReport:
    return msgspec.structs.replace(one, notes=[Note("", "dropped", "", "too long: see manage.py trace")])
