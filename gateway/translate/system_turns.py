"""System turns behind the beginning of a conversation, for servers whose templates refuse them. Pure.

Many chat templates take one system turn, at the beginning (`System message must be at the beginning`), while
agents put more of them into the conversation. Moved to the beginning they would spoil the prompt cache, as
they change what every later turn stands on; so each stays where it is, as a marked text of the user's.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from gateway.diagnostics import SILENT, Diagnostics

Turn = dict[str, Any]
Content = str | list[dict[str, Any]]

APART = "\n\n"
SYSTEM_ROLES = frozenset({"system", "developer"})
END: Turn = {"role": ""}
WHY = "behind the beginning, a system turn is a marked text of the user's here"


def count_leading(turns: list[Turn]) -> int:
    """Count the system and developer turns at the beginning."""
    return next((at for at, turn in enumerate(turns) if turn["role"] not in SYSTEM_ROLES), len(turns))


def mark_late_system_turns(turns: list[Turn], diagnostics: Diagnostics = SILENT) -> list[Turn]:
    """Make late system and developer turns texts of the user's.

    Turns of the user's beside them take them in, so that roles alternate as before; between calls and their
    results nothing may stand, so one there waits for the last result.
    """
    first = count_leading(turns)
    if not any(turn["role"] in SYSTEM_ROLES for turn in turns[first:]):
        return turns
    diagnostics.note_changed("messages", "messages", WHY)
    return [*turns[:first], *_mark_behind(turns[first:])]


def _mark_behind(turns: list[Turn]) -> list[Turn]:
    groups: list[list[Turn]] = []
    late: list[Turn] = []
    for turn in [*turns, END]:
        if turn["role"] in SYSTEM_ROLES:
            late += _mark(turn)
            continue
        if late and turn["role"] != "tool":
            if groups and _takes_text(groups[-1][0]):
                groups[-1] += late
                groups.append([turn])
            elif _takes_text(turn):
                groups.append([*late, turn])
            else:
                groups += [late, [turn]]
            late = []
        else:
            groups.append([turn])
    return [_join(group) for group in groups[:-1]]


def _mark(turn: Turn) -> list[Turn]:
    """Give a system turn as the user's, with what else it shows; none, if it holds nothing."""
    content = turn.get("content")
    others = [part for part in content if not list_texts([part])] if isinstance(content, list) else []
    text = APART.join(filter(None, list_texts(content)))
    marked = f"<system>\n{text}\n</system>" if text else ""
    if not others:
        return [{"role": "user", "content": marked}] if marked else []
    return [{"role": "user", "content": [*_parts(marked), *others]}]


def list_texts(content: Any) -> list[str]:
    """List the texts of a turn's content."""
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return [text for text in texts if isinstance(text, str)]


def _takes_text(turn: Turn) -> bool:
    return turn["role"] == "user" and isinstance(turn.get("content"), str | list)


def _join(group: list[Turn]) -> Turn:
    """Join turns of the user's; what else one of them has stays."""
    if len(group) == 1:
        return group[0]
    return {**group[-1], **group[0], "content": join_contents(group)}


def join_contents(turns: list[Turn]) -> Content:
    """Join what was said: text as one text, or as one part beside other parts."""
    runs: list[Content] = []
    for is_text, run in groupby(
        (turn["content"] for turn in turns), lambda content: isinstance(content, str)
    ):
        contents = list(run)
        runs += [APART.join(filter(None, contents))] if is_text else contents
    if len(runs) == 1:
        return runs[0]
    return [part for content in runs for part in _parts(content)]


def _parts(content: Content) -> list[dict[str, Any]]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []
