"""What a conversation has to look like for one kind of backend. Pure.

Works on chat completions' turns, so it serves every client API. For most kinds of backend it changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from backends.routing.snapshot import Target
from backends.wire.dialect import Dialect
from backends.wire.openai_types import Reply
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest
from gateway.translate.files import FILE, name_files
from gateway.translate.system_turns import (
    APART,
    END,
    SYSTEM_ROLES,
    join_contents,
    mark_late_system_turns,
)
from gateway.translate.tool_results import name_results

Turn = dict[str, Any]

IMAGES_OF_RESULTS = {"type": "text", "text": "Images of the tools' results:"}
SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")


def normalize_messages(turns: list[Turn], dialect: Dialect, diagnostics: Diagnostics = SILENT) -> list[Turn]:
    """Give the turns as this kind of backend takes them. Raises `BadRequest`: it takes no images."""
    if not dialect.accepts_files and any(isinstance(turn.get("content"), list) for turn in turns):
        turns = name_files(turns, diagnostics)
    turns = place_system_turns(turns, dialect, diagnostics)
    results = [] if dialect.accepts_tool_result_images else [turn for turn in turns if turn["role"] == "tool"]
    if results and any(map(has_image, results)):
        turns = _move_images_behind(turns, diagnostics)
    if dialect.requires_alternating_roles:
        turns = _alternate_roles(turns, diagnostics)
    if dialect.tool_calls_without_content == "omit":
        turns = [_drop_empty_content(turn) for turn in turns]
    if dialect.names_tool_results:
        turns = name_results(turns, diagnostics)
    if dialect.requires_short_tool_call_ids:
        turns = [_shorten_ids(turn, diagnostics) for turn in turns]
    if dialect.prefill is not None and dialect.prefill.message and ends_with_assistant(turns):
        turns = [*turns[:-1], {**turns[-1], **dialect.prefill.message}]
        diagnostics.note_added("messages", "the last turn is marked as one to go on with")
    if not dialect.accepts_images and any(has_image(turn) for turn in turns):
        raise BadRequest("this model does not support image input")
    return turns


def ends_with_assistant(turns: list[Turn]) -> bool:
    """Whether the model is to go on with a turn of its own."""
    return bool(turns) and turns[-1]["role"] == "assistant" and "tool_calls" not in turns[-1]


def without_echo(turns: list[Turn], target: Target, reply: Reply) -> None:
    """Take the turn that an answer goes on with out of its beginning."""
    if ends_with_assistant(turns) and isinstance(turns[-1]["content"], str):
        take_echo(turns[-1]["content"], target, reply)


def take_echo(text: str, target: Target, reply: Reply) -> None:
    """Take a text out of the beginning of a whole answer, from a kind of backend that repeats it there."""
    prefill = target.dialect.prefill
    if prefill is None or not prefill.echoes or not reply.choices:
        return
    message = reply.choices[0].message
    if message is not None and isinstance(message.content, str):
        message.content = message.content.removeprefix(text)


def place_system_turns(turns: list[Turn], dialect: Dialect, diagnostics: Diagnostics = SILENT) -> list[Turn]:
    """Put system turns where this kind of backend takes them, and join them as it wants them."""
    if dialect.late_system_messages == "user" and any(turn["role"] in SYSTEM_ROLES for turn in turns[1:]):
        turns = mark_late_system_turns(turns, diagnostics)
    if dialect.merge_system_messages == "none":
        return turns
    return _join_system_turns(turns, dialect.merge_system_messages == "all", diagnostics)


def _join_system_turns(turns: list[Turn], everywhere: bool, diagnostics: Diagnostics) -> list[Turn]:
    """Join the system turns at the beginning, or all of them."""
    first = next((at for at, turn in enumerate(turns) if turn["role"] != "system"), len(turns))
    systems = [turn for turn in turns if turn["role"] == "system"] if everywhere else turns[:first]
    is_fine = systems == turns[:first] and len(systems) <= 1
    if is_fine:
        return turns
    diagnostics.note_changed(
        "messages", "messages", "this kind of backend takes one system turn, at the beginning"
    )
    rest = [turn for turn in turns[first:] if not (everywhere and turn["role"] == "system")]
    return [{"role": "system", "content": join_contents(systems)}, *rest]


def _alternate_roles(turns: list[Turn], diagnostics: Diagnostics) -> list[Turn]:
    """Join neighbours of one role; calls and results stay what they are."""
    groups: list[list[Turn]] = []
    for turn in turns:
        if groups and _may_join(groups[-1][-1], turn):
            diagnostics.note_changed("messages", "messages", f"neighbouring {turn['role']} turns became one")
            groups[-1].append(turn)
        else:
            groups.append([turn])
    return [{**group[0], "content": join_contents(group)} if len(group) > 1 else group[0] for group in groups]


def _may_join(one: Turn, other: Turn) -> bool:
    return (
        one["role"] == other["role"]
        and one["role"] in ("user", "assistant")
        and "tool_calls" not in one
        and "tool_calls" not in other
    )


def _drop_empty_content(turn: Turn) -> Turn:
    if "tool_calls" not in turn or turn.get("content"):
        return turn
    return {name: member for name, member in turn.items() if name != "content"}


def _shorten_ids(turn: Turn, diagnostics: Diagnostics) -> Turn:
    """Give calls, and the results that name them, ids that this kind of backend takes."""
    shortened = dict(turn)
    if "tool_calls" in turn:
        shortened["tool_calls"] = [{**call, "id": _short_id(call["id"])} for call in turn["tool_calls"]]
    if "tool_call_id" in turn:
        shortened["tool_call_id"] = _short_id(turn["tool_call_id"])
    if shortened != turn:
        diagnostics.note_changed("messages", "messages", "ids of tool calls are nine letters and digits here")
    return shortened


def _short_id(given: str) -> str:
    if SHORT_ID.fullmatch(given):
        return given
    return hashlib.blake2s(given.encode(), digest_size=8).hexdigest()[:9]


def _move_images_behind(turns: list[Turn], diagnostics: Diagnostics) -> list[Turn]:
    """Move images out of results, behind the last result: nothing may stand between those of one turn."""
    diagnostics.note_changed(
        "messages", "messages", "images of tools' results stand in a user's turn behind them here"
    )
    moved: list[Turn] = []
    images: list[dict[str, Any]] = []
    for turn in [*turns, END]:
        if turn["role"] != "tool" and images:
            moved.append({"role": "user", "content": [IMAGES_OF_RESULTS, *images]})
            images = []
        if turn["role"] == "tool" and has_image(turn):
            images += [part for part in turn["content"] if part["type"] != "text"]
            texts = [part["text"] for part in turn["content"] if part["type"] == "text"]
            turn = {**turn, "content": APART.join(texts)}
        moved.append(turn)
    return moved[:-1]


def has_image(turn: Turn) -> bool:
    """Say whether a turn holds anything but text and files: an image, or a sound."""
    content = turn.get("content")
    return isinstance(content, list) and any(part.get("type") not in ("text", FILE) for part in content)
