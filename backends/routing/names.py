"""Model names: what is the same name, and what a pattern with one star matches. Pure.

Source: Ollama `types/model/name.go` and `server/routes.go:getExistingName`: names compare without regard to
case, and `name` is `name:latest`.
"""

from __future__ import annotations

DEFAULT_TAG = ":latest"


def strip_tag(name: str) -> str:
    """Drop the default tag, which stands for no tag at all."""
    return name[: -len(DEFAULT_TAG)] if name.lower().endswith(DEFAULT_TAG) else name


def canonical(name: str) -> str:
    """Bring a name to the form in which equal names are equal."""
    return strip_tag(name.strip()).lower()


class Pattern:
    """A pattern with one star, matched against canonical names."""

    __slots__ = ("head", "length", "tail")

    def __init__(self, text: str) -> None:
        self.head, _, self.tail = canonical(text).partition("*")
        self.length = len(self.head) + len(self.tail)

    def match(self, name: str) -> str | None:
        """Give what the star stands for, in the spelling of `name`, or None."""
        plain = strip_tag(name.strip())
        folded = plain.lower()
        if len(folded) <= self.length or not folded.startswith(self.head) or not folded.endswith(self.tail):
            return None
        return plain[len(self.head) : len(plain) - len(self.tail)]


def matches(pattern: str, name: str) -> bool:
    """Say whether a name, or a pattern with at most one star, covers `name`."""
    if "*" not in pattern:
        return canonical(pattern) == canonical(name)
    return pattern == "*" or Pattern(pattern).match(name) is not None
