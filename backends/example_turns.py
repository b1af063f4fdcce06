"""Example turns as people write them: blocks of `role: text`, or JSON where that cannot say it. Pure.

Source of the roles: Ollama `parser/parser.go:isValidMessageRole`, for MESSAGE in a Modelfile.
"""

from __future__ import annotations

import json
import re
from typing import Any

from backends.storable import is_storable

ROLES = ("system", "user", "assistant")
NAMED = "system, user or assistant"
BLOCK = re.compile(rf"({'|'.join(ROLES)}):(.*)", re.IGNORECASE)

Turn = dict[str, str]


class TurnsUnreadable(ValueError):
    """The text is no list of turns. The message says where and why."""


def fault(value: Any) -> str:
    """Say what is wrong with a list of turns; nothing if it is one."""
    if not isinstance(value, list):
        return 'Give a list of turns: [{"role": "user", "content": "..."}, ...].'
    for number, turn in enumerate(value, 1):
        if reason := _fault_of(turn):
            return f"Turn {number} {reason}."
    return ""


def _fault_of(turn: Any) -> str:
    if not isinstance(turn, dict) or turn.keys() != {"role", "content"}:
        return "must have a role and a content, and nothing else"
    if turn["role"] not in ROLES:
        return f"must have one of the roles {NAMED}"
    content = turn["content"]
    if not isinstance(content, str):
        return "must have text as its content"
    if not is_storable(content):
        return "holds a character that cannot be stored"
    return ""


def read(text: str) -> list[Turn]:
    """Read blocks, or JSON if the text begins like it; nothing is no turn. Raises `TurnsUnreadable`."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    turns = _read_json(plain) if plain.lstrip()[:1] in ("[", "{") else _read_blocks(plain)
    if reason := fault(turns):
        raise TurnsUnreadable(reason)
    return turns


def write(turns: list[Turn]) -> str:
    """Write blocks if they read back unchanged, else JSON."""
    blocks = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
    try:
        is_faithful = read(blocks) == turns
    except TurnsUnreadable:
        is_faithful = False
    return blocks if is_faithful else _write_json(turns)


def _write_json(turns: list[Turn]) -> str:
    """One turn a line."""
    lines = [
        json.dumps({"role": turn["role"], "content": turn["content"]}, ensure_ascii=False) for turn in turns
    ]
    return "[\n  " + ",\n  ".join(lines) + "\n]"


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TurnsUnreadable(
            f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise TurnsUnreadable("This is nested too deeply.") from None


def _read_blocks(text: str) -> list[Turn]:
    turns: list[Turn] = []
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if begun := BLOCK.match(line):
            _end(turns, lines)
            turns.append({"role": begun[1].lower(), "content": ""})
            lines = [begun[2].strip()]
        elif turns:
            lines.append(line)
        elif line.strip():
            raise TurnsUnreadable(f"Line {number}: begin each turn with its role: {_roles_with_colons()}.")
    _end(turns, lines)
    return turns


def _end(turns: list[Turn], lines: list[str]) -> None:
    """Give the turn that ends here its text: blank lines around it separate, and belong to nobody."""
    if not turns:
        return
    content = "\n".join(lines).strip("\n").rstrip()
    if not content:
        raise TurnsUnreadable(f"Turn {len(turns)} ({turns[-1]['role']}) has no text.")
    turns[-1]["content"] = content


def _roles_with_colons() -> str:
    return ", ".join(f"{role}:" for role in ROLES)
