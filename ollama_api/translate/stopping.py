"""Stop strings that a backend does not take: they are looked for in its answer instead. Pure.

Ollama takes any number of them. OpenAI takes four, and models of its that think take none; what is over is no
reason to refuse a request, nor to let its answer run on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.routing.snapshot import Rule
from backends.wire.dialect import Dialect
from backends.wire.openai import Choice, Reply, Usage
from ollama_api.translate.notes import SILENT, Notes

MOST_WORDS = 64
LONGEST_WORD = 1024
"""Characters. Both bound what one character of an answer may cost, and how much of it is held back."""


def left(
    given: Mapping[str, Any], rule: Rule, dialect: Dialect, body: Mapping[str, Any], notes: Notes = SILENT
) -> list[str]:
    """Give the stop strings that were asked for and did not go into a body."""
    wanted = rule.forced_options.get("stop") or given.get("stop") or rule.options.get("stop")
    if not wanted:
        return []
    sent = body.get(dialect.options.get("stop", "")) or ()
    unsent = [word for word in wanted if word and word not in sent]
    looked_for = [word for word in unsent if len(word) <= LONGEST_WORD][:MOST_WORDS]
    if looked_for:
        notes.changed("options.stop", "", f"{len(looked_for)} not sent: looked for in the answer here")
    if len(looked_for) < len(unsent):
        notes.dropped("options.stop", f"more than {MOST_WORDS} not sent, or longer than {LONGEST_WORD}")
    return looked_for


class Cutter:
    """Ends one answer before the first of the words, wherever its chunks are cut."""

    def __init__(self, words: list[str]) -> None:
        self._words = [_Word(word) for word in words]
        self._held = ""
        """The end of what came, if a word may begin in it."""
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
        held, self._held = self._held, ""
        return [Reply(choices=[Choice(text=held)])] if held else []

    def _take(self, reply: Reply, choice: Choice) -> None:
        part = choice.delta or choice.message
        came: Any = (part.content if part is not None else choice.text) or ""
        self._chunks += bool(came)
        shown = self._shown(came, is_last=choice.finish_reason is not None)
        if self.is_over:
            choice.finish_reason, choice.logprobs = "stop", None
            if not self._is_counted:  # and never will be: a token a chunk is the nearest that is known
                reply.usage = Usage(prompt_tokens=0, completion_tokens=self._chunks)
        if part is not None:
            part.content = shown
        else:
            choice.text = shown

    def _shown(self, came: str, *, is_last: bool) -> str:
        text = self._held + came
        found = [(end, -word.length) for word in self._words if (end := word.find(came))]
        if found:
            end, length = min(found)  # what ends first, however the chunks are cut; of those the longest
            shown = text[: len(self._held) + end + length]
            self.is_over, self._held = True, ""
            return shown
        kept = 0 if is_last else max(word.matched for word in self._words)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]


class _Word:
    """One word, looked for in a text that comes in pieces (Knuth, Morris and Pratt 1977)."""

    def __init__(self, word: str) -> None:
        self._word = word
        self.length = len(word)
        self.matched = 0
        """How much of the word the text ends with."""
        self._shorter = _shorter_matches(word)

    def find(self, piece: str) -> int:
        """Go on through a piece. Give where in it the word's first end is, counted from 1; 0: nowhere."""
        for place, letter in enumerate(piece, 1):
            self._step(letter)
            if self.matched == self.length:
                return place
        return 0

    def _step(self, letter: str) -> None:
        while self.matched and self._word[self.matched] != letter:
            self.matched = self._shorter[self.matched - 1]
        if self._word[self.matched] == letter:
            self.matched += 1


def _shorter_matches(word: str) -> list[int]:
    """Give, for each beginning of a word, the length of its longest end that the word begins with, too."""
    table = [0] * len(word)
    matched = 0
    for place in range(1, len(word)):
        while matched and word[matched] != word[place]:
            matched = table[matched - 1]
        matched += word[matched] == word[place]
        table[place] = matched
    return table


def cut_whole(reply: Reply, words: list[str]) -> None:
    """Cut a whole answer."""
    Cutter(words).feed([reply])
