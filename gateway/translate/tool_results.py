"""Results of tools, and the calls that they answer. Pure.

Clients bind a result by the call's id, by the tool's name alone, or by its place; most backends want the id,
and some the name beside it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from gateway.diagnostics import SILENT, Diagnostics

Turn = dict[str, Any]
Call = dict[str, Any]

ANY_CALL = ("any", "call")
BY_NAME = "a tool's result without an id got that of its call"
NAMED = "tools' results have the names of their tools here"


class ResultLinker:
    """The calls of the last assistant turn that have no result yet."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self._waiting: dict[tuple[str, str], deque[Call]] = {}
        """What a call may be found by -> such calls, in order, the answered ones among them."""
        self._answered: set[int] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether results of a turn's calls may still come."""
        return bool(self._waiting)

    def ask(self, calls: list[Call]) -> None:
        """Open the calls of a turn."""
        self._waiting, self._answered = defaultdict(deque), set()
        for call in calls:
            for handle in (("id", call["id"]), ("name", call["function"]["name"]), ANY_CALL):
                self._waiting[handle].append(call)

    def take(self, call_id: str, name: str) -> str | None:
        """Bind a result: by its id, else to the first open call of that name, else to the first open call."""
        for handle in (("id", call_id), ("name", name), ANY_CALL):
            waiting = self._waiting.get(handle) if handle[1] else None
            while waiting:
                call = waiting.popleft()
                if id(call) not in self._answered:
                    self._answered.add(id(call))
                    return str(call["id"])
        return None

    def close_unanswered_calls(self) -> list[Turn]:
        """Close the calls that nobody answered: many backends refuse a call without a result."""
        if not self._waiting:
            return []
        left = [call["id"] for call in self._waiting[ANY_CALL] if id(call) not in self._answered]
        self._waiting = {}
        if left:
            self.diagnostics.note_added("messages", "an empty result for each tool call that has none")
        return [{"role": "tool", "tool_call_id": call_id, "content": ""} for call_id in left]


def bind_results(turns: list[Turn], diagnostics: Diagnostics = SILENT) -> list[Turn]:
    """Give results that have no id that of the call of their name, or else of their place."""
    if all(turn.get("tool_call_id") for turn in turns if turn["role"] == "tool"):
        return turns
    linker = ResultLinker(diagnostics)
    made = [_bind_result(turn, linker) for turn in turns]
    if any(one is not turn for one, turn in zip(made, turns, strict=True)):
        diagnostics.note_changed("messages", "messages", BY_NAME)
    return made


def _bind_result(turn: Turn, linker: ResultLinker) -> Turn:
    if turn["role"] == "assistant":
        linker.ask([call for call in turn.get("tool_calls") or () if _is_whole(call)])
    if turn["role"] != "tool":
        return turn
    given, name = turn.get("tool_call_id"), turn.get("tool_name") or turn.get("name")
    found = linker.take(given if isinstance(given, str) else "", name if isinstance(name, str) else "")
    if given or found is None:
        return turn
    members = {member: value for member, value in turn.items() if member != "tool_name"}
    return {**members, "tool_call_id": found}


def _is_whole(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    has_name = isinstance(function, dict) and isinstance(function.get("name"), str)
    return has_name and isinstance(call.get("id"), str) and bool(call["id"])


def name_results(turns: list[Turn], diagnostics: Diagnostics = SILENT) -> list[Turn]:
    """Say with each result which tool gave it."""
    names: dict[str, str] = {}
    made: list[Turn] = []
    for turn in turns:
        if turn["role"] == "assistant":
            calls = [call for call in turn.get("tool_calls") or () if _is_whole(call)]
            names |= {call["id"]: call["function"]["name"] for call in calls}
        name = names.get(str(turn.get("tool_call_id"))) if turn["role"] == "tool" else None
        made.append({**turn, "name": name} if name and not turn.get("name") else turn)
    if any(one is not turn for one, turn in zip(made, turns, strict=True)):
        diagnostics.note_changed("messages", "messages", NAMED)
        return made
    return turns
