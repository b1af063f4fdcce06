"""What a backend gave with its tool calls and wants back with their results: signatures, and reasoning. Pure.

Ollama's protocol has no place for it, so it is kept for the life of a tool turn (`gateway.replay_store`),
under a key that follows from the call itself: most clients send no ids back. When it is gone, the request
goes without it, and the trace says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from backends.wire.dialect import Dialect
from gateway.answer import AnswerToolCall
from gateway.diagnostics import SILENT, Diagnostics

Turn = dict[str, Any]
ReplayData = dict[str, Any]
"""`turn`: members of the assistant's turn; `call`: members of the call."""

BLANK = " "
THOUGHT = "reasoning_content"
"""The member of a turn for what was thought before its calls, which clients of some APIs send back."""
JOINED = ("text", "summary", "data", "thinking")
"""Members of a reasoning detail that come in pieces."""


def key(name: str, arguments: bytes | str) -> str:
    """Name a call by what it calls, whatever the order of its arguments and the spaces between them."""
    try:
        value = msgspec.json.encode(msgspec.json.decode(arguments), order="sorted")
    except (msgspec.DecodeError, RecursionError):
        value = arguments.encode() if isinstance(arguments, str) else bytes(arguments)
    return hashlib.blake2s(name.encode() + b"\0" + value, digest_size=16).hexdigest()


def names(call_id: str, name: str, arguments: bytes | str) -> list[str]:
    """Give the names of a call, the surest first: with its id, where there is one, and without."""
    plain = key(name, arguments)
    return [f"{plain}.{call_id}", plain] if call_id else [plain]


def keys_of_turns(turns: Iterable[Turn]) -> list[str]:
    """Name the calls in a chat completion's turns."""
    return [one for turn in turns for call in turn.get("tool_calls", ()) for one in _names(call)]


def _names(call: dict[str, Any]) -> list[str]:
    return names(call["id"], call["function"]["name"], call["function"]["arguments"])


def _find_replay_data(call: dict[str, Any], recalled: Mapping[str, ReplayData]) -> ReplayData:
    found = (recalled[name] for name in _names(call) if name in recalled)
    return next(found, {})


def drop_unwanted_reasoning(turns: list[Turn], dialect: Dialect) -> list[Turn]:
    """Take what clients send back of the thinking out of the turns, unless this kind of backend wants it."""
    if THOUGHT in dialect.replay_fields or not any(THOUGHT in turn for turn in turns):
        return turns
    return [{name: member for name, member in turn.items() if name != THOUGHT} for turn in turns]


def replay_reasoning(
    turns: list[Turn], recalled: Mapping[str, ReplayData], dialect: Dialect, diagnostics: Diagnostics = SILENT
) -> list[Turn]:
    """Put back what was given along with the calls of these turns."""
    return [
        _replay_turn(turn, recalled, dialect, diagnostics) if "tool_calls" in turn else turn for turn in turns
    ]


def _replay_turn(
    turn: Turn, recalled: Mapping[str, ReplayData], dialect: Dialect, diagnostics: Diagnostics
) -> Turn:
    found = [_find_replay_data(call, recalled) for call in turn["tool_calls"]]
    calls = [
        {**call, **stored.get("call", {})} for call, stored in zip(turn["tool_calls"], found, strict=True)
    ]
    more: ReplayData = next((stored["turn"] for stored in found if stored.get("turn")), {})
    wanted = {
        name: value for name, value in more.items() if name in dialect.replay_fields and name not in turn
    }
    if any(found):
        diagnostics.note_added("messages", f"what {dialect.label} gave with its tool calls and wants back")
    elif not any(name in turn for name in dialect.replay_fields):
        diagnostics.note_changed(
            "messages",
            "messages",
            "nothing is kept that the backend gave with these tool calls: sent without",
        )
        # Left out, it is refused by those who want it; a blank is not.
        wanted = {name: BLANK for name in dialect.replay_fields if name == THOUGHT}
    return {**turn, **wanted, "tool_calls": calls}


class ReplayCollector:
    """Gathers what one answer gives along."""

    __slots__ = ("_lists", "_names", "_text")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._lists: dict[str, _Details] = {}
        self._text: list[str] = []

    def take(self, thinking: str, **parts: list[dict[str, Any]] | None) -> None:
        """Take what one chunk gives: `parts` by the name of the turn's member."""
        if thinking and THOUGHT in self._names:
            self._text.append(thinking)
        for name, more in parts.items():
            if more and name in self._names:
                self._lists.setdefault(name, _Details()).add(more)

    def collect_replay_data(
        self, calls: Iterable[AnswerToolCall], extras: Iterable[Any]
    ) -> dict[str, ReplayData]:
        """Give the data to store, by the call's key; empty where the backend sent none."""
        turn: dict[str, Any] = {name: details.whole() for name, details in self._lists.items()}
        if self._text:
            turn[THOUGHT] = "".join(self._text)
        found: dict[str, ReplayData] = {}
        for call, extra in zip(calls, extras, strict=True):
            of_call = {"extra_content": extra} if extra and "extra_content" in self._names else {}
            if turn or of_call:
                data: ReplayData = {"turn": turn, "call": of_call}
                found |= dict.fromkeys(
                    names(call.id, call.function.name, bytes(call.function.arguments)), data
                )
        return found


class _Details:
    """A list whose members come in pieces. What a piece costs does not depend on what came before it."""

    __slots__ = ("_details", "_pieces")

    def __init__(self) -> None:
        self._details: list[dict[str, Any]] = []
        self._pieces: dict[str, list[str]] = {}
        """Of the members of the last detail that are joined."""

    def add(self, more: list[dict[str, Any]]) -> None:
        """Take what one chunk gives. Pieces of a detail have its index and type; what is set later wins."""
        for detail in more:
            last = self._details[-1] if self._details else {}
            is_same = (last.get("index"), last.get("type")) == (detail.get("index"), detail.get("type"))
            # Without an index, a signature is what ends a detail: LiteLLM's are Anthropic's blocks.
            is_over = last.get("index") is None and bool(last.get("signature"))
            if last and is_same and not is_over:
                self._go_on(last, detail)
            else:
                self._settle()
                self._details.append(dict(detail))

    def _go_on(self, last: dict[str, Any], detail: dict[str, Any]) -> None:
        for name, value in detail.items():
            if name in JOINED and isinstance(value, str) and isinstance(last.get(name), str):
                self._pieces.setdefault(name, [last[name]]).append(value)
            elif value is not None:
                self._pieces.pop(name, None)
                last[name] = value

    def _settle(self) -> None:
        for name, pieces in self._pieces.items():
            self._details[-1][name] = "".join(pieces)
        self._pieces.clear()

    def whole(self) -> list[dict[str, Any]]:
        """Give the details."""
        self._settle()
        return self._details
