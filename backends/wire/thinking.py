"""Thinking that comes between tags inside the text, for servers that do not part the two. Pure.

As in Ollama: tags count at the beginning of an answer only, and white space behind a tag goes with it.
Source: Ollama `thinking/parser.go`; the tags: model cards and chat templates of those who write them.
"""

from __future__ import annotations

from typing import Literal

# Opening tag -> closing tag.
TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}


class TagSplitter:
    """Feed text, get (thinking, text). Only what may still become a tag is held back.

    `is_open`: the template has opened the tag, so that the answer begins within it.
    """

    __slots__ = ("_closings", "_held", "_is_open", "_place", "_space")

    def __init__(self, *, is_open: bool = False) -> None:
        self._is_open = is_open
        self._held = ""
        self._space: list[str] = []
        """White space before what is held at the beginning: there may be any amount of it."""
        self._closings = tuple(TAGS.values())
        self._place: Literal["begin", "opened", "inside", "closed", "text"] = "begin"

    @property
    def is_over(self) -> bool:
        """Whether all that is still to come is text."""
        return self._place == "text"

    def feed(self, text: str) -> tuple[str, str]:
        """Take a piece of the answer."""
        self._held += text
        if self._place == "begin":
            self._begin()
        if self._place == "opened":
            self._skip_space("inside")
        thinking = self._inside() if self._place == "inside" else ""
        if self._place == "closed":
            self._skip_space("text")
        return thinking, self._release() if self._place == "text" else ""

    def end(self) -> tuple[str, str]:
        """Take the end: what was held back did not become a tag."""
        is_thinking = self._place == "inside" or (self._place == "begin" and self._is_open)
        rest, self._place = self._release(), "text"
        return (rest, "") if is_thinking else ("", rest)

    def _begin(self) -> None:
        """Look for the opening tag, which may come although the template has written one."""
        begin = self._held.lstrip()
        self._space.append(self._held[: len(self._held) - len(begin)])
        self._held = begin
        for opening, closing in TAGS.items():
            if begin.startswith(opening):
                self._held, self._closings = begin[len(opening) :], (closing,)
                self._space.clear()
                self._place = "opened"
                return
        if not any(opening.startswith(begin) for opening in TAGS):
            self._place = "opened" if self._is_open else "text"

    def _skip_space(self, then: Literal["inside", "text"]) -> None:
        self._space.clear()
        self._held = self._held.lstrip()
        if self._held:
            self._place = then

    def _inside(self) -> str:
        """Give the thinking up to the closing tag, or up to what may become one."""
        found = [(at, closing) for closing in self._closings if (at := self._held.find(closing)) >= 0]
        if found:
            at, closing = min(found)
            thinking, self._held = self._held[:at], self._held[at + len(closing) :]
            self._place = "closed"
            return thinking
        tail = max(_overlap(self._held, closing) for closing in self._closings)
        thinking, self._held = self._held[: len(self._held) - tail], self._held[len(self._held) - tail :]
        return thinking

    def _release(self) -> str:
        text = "".join([*self._space, self._held])
        self._space.clear()
        self._held = ""
        return text


def _overlap(text: str, tag: str) -> int:
    """Count the characters at the end of a text that a tag begins with."""
    lengths = range(min(len(tag) - 1, len(text)), 0, -1)
    return next((length for length in lengths if text.endswith(tag[:length])), 0)
