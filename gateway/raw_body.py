"""Bodies that pass to a backend of the same protocol as the bytes that they came as. Pure.

Only the members that routing and the mapping's rules touch are decoded; every other one, known here or not,
travels untouched. A `RawForm` is a row: where a protocol keeps the system prompt, the turns and the options.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from backends.routing.snapshot import Target
from backends.wire.dialect import Dialect
from gateway import counts
from gateway.diagnostics import Diagnostics
from gateway.raw_forms import (
    CHAT,
    EMPTY,
    LIMITS,
    NULL,
    SYSTEM_ROLES,
    Fields,
    RawForm,
    encode_fields,
    encode_raw,
)
from gateway.translate.chat_completions import fit_body
from gateway.translate.ollama_members import translate_ollama_members
from gateway.translate.options import check_options, wire_options
from gateway.translate.raw_turns import fit_raw_turns, may_need_fitting
from gateway.translate.routing_members import without_routing
from gateway.translate.schema_grammar import fit_raw_schemas
from gateway.translate.tools import COMPLETED, RAW_TOOLS, Complete, complete_raw_tools

MOST_DIGITS = 4
"""Of a number of answers."""


class RawBody(msgspec.Struct, kw_only=True):
    """A request body, taken apart at its top level only."""

    keep_alive: ClassVar[None] = None
    options: ClassVar[dict[str, Any]] = {}

    form: RawForm
    model: str
    stream: bool = False
    stream_options: dict[str, Any] = {}
    fields: Fields
    default_options: dict[str, Any] = {}
    forced_options: dict[str, Any] = {}
    _given_turns: list[Any] | None = None
    _changed_turns: list[Any] | None = None
    """With what the mapping adds; None: they go as they came."""

    @property
    def wants_usage(self) -> bool:
        """Whether the client asked for the chunk with the token counts."""
        return self.stream_options.get("include_usage") is True

    @property
    def choice_count(self) -> int:
        """How many answers are asked for (`n`). A number that makes no sense is the backend's to refuse."""
        number = bytes(self.fields.get("n", NULL))
        return max(1, int(number)) if number.isdigit() and len(number) <= MOST_DIGITS else 1

    @property
    def has_tools(self) -> bool:
        """Whether tools are offered to the model."""
        return self.form is CHAT and bytes(self.fields.get("tools", NULL)) not in EMPTY

    @property
    def has_system(self) -> bool:
        """Whether the client brings a system prompt of its own, in whatever place the protocol has for it."""
        if self.form.system and not _is_blank(self.fields.get(self.form.system, NULL)):
            return True
        turns = self.list_turns() or []
        return any(not _is_blank(turn.content) for turn in map(_peek, _leading_system(turns)))

    def set_system(self, text: str) -> bool:
        """Set the system prompt, in the place of an empty one; whether there is a place for it."""
        if self.form.system:
            self.fields[self.form.system] = encode_raw(text)
            return True
        turns = self.list_turns()
        if turns is None:
            return False
        rest = turns[len(_leading_system(turns)) :]
        self._changed_turns = [{"role": "system", "content": text}, *rest]
        return True

    def insert_turns(self, examples: list[dict[str, Any]]) -> bool:
        """Insert turns behind the system prompt, before the conversation; whether there is a place."""
        fitting = [turn for turn in examples if turn["role"] in self.form.roles]
        turns = self.list_turns()
        if turns is None or not fitting:
            return False
        first = len(_leading_system(turns))
        self._changed_turns = [*turns[:first], *fitting, *turns[first:]]
        return True

    def merge_options(self, defaults: dict[str, Any], forced: dict[str, Any]) -> None:
        """Note what is laid under the client's options and over them; `build` knows the target's names."""
        if self.form.takes_options:
            self.default_options, self.forced_options = defaults, forced

    def list_turns(self) -> list[Any] | None:
        """List the turns; a text alone is the user's. None: there are none, or the backend has to refuse."""
        if self._changed_turns is None and self.form.turns:
            self._given_turns = self._given_turns or _decode_turns(self.fields.get(self.form.turns, NULL))
            return self._given_turns
        return self._changed_turns

    def _fit_turns(self, dialect: Dialect, diagnostics: Diagnostics) -> list[Any] | None:
        """Give the turns that a target gets, with what the mapping adds. None: they go as they came."""
        if self.form is not CHAT or not may_need_fitting(self.fields.get("messages", NULL), dialect):
            return self._changed_turns
        turns = self.list_turns()
        fitted = fit_raw_turns(turns, dialect, diagnostics) if turns else turns
        return self._changed_turns if fitted is turns else fitted

    def build(self, target: Target, diagnostics: Diagnostics) -> Fields:
        """Make the body for one target: its options, and its name of the model."""
        dialect = self.form.names or target.dialect
        given = without_routing(self.fields, target.dialect, diagnostics)
        given = translate_ollama_members(self.form, given, target.dialect, dialect, diagnostics)
        if self.form is CHAT:
            given = _rename_limit(given, dialect, diagnostics)
        turns = self._fit_turns(dialect, diagnostics)
        if turns is not None:
            given = {**given, self.form.turns: encode_raw(turns)}
        if "tools" in given and self.form.name in RAW_TOOLS:
            given = _complete_tools(given, RAW_TOOLS[self.form.name], diagnostics)
        if dialect.schema_grammar is not None or dialect.drop_schema_keywords:
            given = fit_raw_schemas(given, dialect, diagnostics)
        fields = _lay_options(self, given, dialect, diagnostics) | {"model": encode_raw(target.model)}
        if (
            self.form.counts_tokens
            and self.stream
            and dialect.accepts_stream_options
            and not self.wants_usage
        ):
            diagnostics.note_added(
                "stream_options", "the tokens of a stream are counted whoever wants to know"
            )
            fields["stream_options"] = encode_raw({**self.stream_options, "include_usage": True})
        return fields


def _rename_limit(fields: Fields, dialect: Dialect, diagnostics: Diagnostics) -> Fields:
    """Say the limit of tokens by the name that this kind of backend takes."""
    wanted = dialect.max_tokens
    for name in LIMITS - {wanted}:
        is_taken = name == "max_completion_tokens" and dialect.accepts_max_completion_tokens
        if is_taken or fields.get(name, NULL) == NULL:
            continue
        renamed = {other: value for other, value in fields.items() if other != name}
        if renamed.get(wanted, NULL) == NULL:
            diagnostics.note_changed(name, wanted, "this kind of backend has another name for it")
            renamed[wanted] = fields[name]
        else:
            diagnostics.note_dropped(name, f"{wanted} says it already")
        fields = renamed
    return fields


def _complete_tools(fields: Fields, complete: Complete, diagnostics: Diagnostics) -> Fields:
    tools = complete_raw_tools(fields["tools"], complete)
    if tools is fields["tools"]:
        return fields
    diagnostics.note_changed("tools", "tools", COMPLETED)
    return {**fields, "tools": tools}


def _decode_turns(given: msgspec.Raw) -> list[Any] | None:
    """Take a list of turns apart. Raises `BadRequest`: there are more than anybody could mean."""
    try:
        value = msgspec.json.decode(given, type=list[msgspec.Raw] | str)
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    counts.check("messages", counts.MOST_TURNS, len(value))
    return value


class _Turn(msgspec.Struct):
    """What is looked at of a turn."""

    role: str = ""
    content: msgspec.Raw = NULL


_decode_turn = msgspec.json.Decoder(_Turn).decode


def _peek(turn: Any) -> _Turn:
    """Look at a turn. One that is none is the backend's to refuse."""
    try:
        return _decode_turn(turn if isinstance(turn, msgspec.Raw) else msgspec.json.encode(turn))
    except (msgspec.DecodeError, RecursionError):
        return _Turn()


def _leading_system(turns: list[Any]) -> list[Any]:
    """List the system and developer turns at the beginning."""
    first = next((at for at, turn in enumerate(turns) if _peek(turn).role not in SYSTEM_ROLES), len(turns))
    return turns[:first]


def _is_blank(value: msgspec.Raw) -> bool:
    return bytes(value) in (b"null", b'""', b"[]")


def _lay_options(body: RawBody, fields: Fields, dialect: Dialect, diagnostics: Diagnostics) -> Fields:
    """Lay the mapping's defaults under what the client said, and what the mapping forces over it."""
    defaults = _build_options(body.default_options, dialect, diagnostics)
    forced = _build_options(body.forced_options, dialect, diagnostics)
    given = dict(fields)
    if forced.keys() & LIMITS:
        given = {name: value for name, value in given.items() if name not in LIMITS}
    present = {name for name, value in given.items() if value != NULL}
    if present & LIMITS:
        present |= LIMITS
    defaults = {name: value for name, value in defaults.items() if name not in present}
    for name in fields.keys() - given.keys() | (forced.keys() & present):
        diagnostics.note_changed(
            name, name if name in forced else dialect.max_tokens, "the mapping forces another value"
        )
    for name in [*defaults, *(forced.keys() - present)]:
        diagnostics.note_added(name, "an option of the mapping")
    return {**given, **defaults, **forced}


def _build_options(options: dict[str, Any], dialect: Dialect, diagnostics: Diagnostics) -> Fields:
    """Give options of the mapping as this kind of backend takes them: no client said them."""
    if not options:
        return {}
    return encode_fields(fit_body(wire_options(check_options(options), dialect), None, dialect, diagnostics))
