"""Stop strings that a backend does not take: they are looked for in its answer instead. Pure.

Ollama takes any number of them; OpenAI takes four, and its reasoning models take none. The excess is no
reason to refuse a request, nor to let its answer run on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.wire.dialect import Dialect
from backends.wire.openai_types import Choice, Reply, Usage
from gateway.diagnostics import SILENT, Diagnostics

MOST_STOPS = 64
LONGEST_STOP = 1024
"""Characters. Both bound what one character of an answer costs, and how much of the answer is held back."""


def list_unsent_stops(
    options: Mapping[str, Any], dialect: Dialect, body: Any, diagnostics: Diagnostics = SILENT
) -> list[str]:
    """Give the stop strings that are wanted and did not go into a body."""
    wanted = options.get("stop")
    if not wanted:
        return []
    sent = frozenset(body.get(dialect.options.get("stop", "")) or ())
    kept_back = [stop for stop in wanted if stop and stop not in sent]
    looked_for = [stop for stop in kept_back if len(stop) <= LONGEST_STOP][:MOST_STOPS]
    if looked_for:
        diagnostics.note_changed(
            "options.stop", "", f"{len(looked_for)} not sent: looked for in the answer here"
        )
    if len(looked_for) < len(kept_back):
        diagnostics.note_dropped(
            "options.stop", f"not looked for beyond {MOST_STOPS} strings or {LONGEST_STOP} characters"
        )
    return looked_for


class StopScanner:
    """Ends one answer before the first stop string in it, wherever its chunks are cut."""

    def __init__(self, stops: list[str]) -> None:
        self._searches = [_Search(stop) for stop in stops]
        self._held = ""
        """The end of what came, where a stop string may have begun."""
        self._chunks = 0
        self._is_counted = False
        self.is_over = False

    def feed(self, replies: list[Reply]) -> list[Reply]:
        """Take chunks, or a whole answer; give what is to be shown of them."""
        for place, reply in enumerate(replies, 1):
            self._is_counted = self._is_counted or reply.usage is not None
            if reply.choices:
                self._take(reply, reply.choices[0])
            if self.is_over:
                return replies[:place]
        return replies

    def rest(self) -> list[Reply]:
        """Give what was held back when no more comes."""
        text, self._held = self._held, ""
        return [Reply(choices=[Choice(text=text)])] if text else []

    def _take(self, reply: Reply, choice: Choice) -> None:
        part = choice.delta or choice.message
        content: Any = (part.content if part is not None else choice.text) or ""
        self._chunks += bool(content)
        visible = self._scan(content, is_last=bool(choice.finish_reason))
        if self.is_over:
            choice.finish_reason, choice.logprobs = "stop", None
            if not self._is_counted:  # and never will be: a token a chunk is the nearest that is known
                reply.usage = Usage(prompt_tokens=0, completion_tokens=self._chunks)
        if part is not None:
            part.content = visible
        else:
            choice.text = visible

    def _scan(self, content: str, *, is_last: bool) -> str:
        text = self._held + content
        found = [(end, -search.length) for search in self._searches if (end := search.find(content))]
        if found:
            end, length = min(
                found
            )  # the one that ends first, however the chunks are cut; of those the longest
            visible = text[: len(self._held) + end + length]
            self.is_over, self._held = True, ""
            return visible
        retained = 0 if is_last else max(search.matched for search in self._searches)
        self._held = text[len(text) - retained :]
        return text[: len(text) - retained]


class _Search:
    """The search for one string in a text that comes in pieces (Knuth, Morris and Pratt 1977)."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self.length = len(wanted)
        self.matched = 0
        """Characters of the string that the text ends with by now."""
        self._shorter = _shorter_matches(wanted)

    def find(self, piece: str) -> int:
        """Go on through a piece. Give where the string first ends in it, counted from 1; 0: nowhere."""
        for place, character in enumerate(piece, 1):
            self._step(character)
            if self.matched == self.length:
                return place
        return 0

    def _step(self, character: str) -> None:
        while self.matched and self._wanted[self.matched] != character:
            self.matched = self._shorter[self.matched - 1]
        if self._wanted[self.matched] == character:
            self.matched += 1


def _shorter_matches(text: str) -> list[int]:
    """Give for each prefix of a text the length of its longest proper suffix that is a prefix, too."""
    table = [0] * len(text)
    matched = 0
    for place in range(1, len(text)):
        while matched and text[matched] != text[place]:
            matched = table[matched - 1]
        matched += text[matched] == text[place]
        table[place] = matched
    return table


def cut_at_stop(reply: Reply, stops: list[str]) -> None:
    """End a whole answer before the first stop string in it."""
    StopScanner(stops).feed([reply])
