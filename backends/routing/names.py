"""Model names: what is the same name, and what a pattern with one star matches. Pure.

Source: Ollama `types/model/name.go` and `server/routes.go:getExistingName`: names compare without regard to
case, and `name` is `name:latest`.
"""

from __future__ import annotations

import re

DEFAULT_TAG = ":latest"
# What Ollama puts before a name that has no slash: with them it is the same name.
DEFAULT_HOST = "registry.ollama.ai/"
DEFAULT_NAMESPACE = "library/"
_SLASHES = {DEFAULT_HOST: 1, DEFAULT_NAMESPACE: 0, DEFAULT_HOST + DEFAULT_NAMESPACE: 0}
"""What was left out at a pattern's beginning -> how many slashes its star may stand for; else any number."""
MOST_SLASHES = 1000
"""More than any name that is let in could have."""
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_NAMESPACE = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"
_HOST = r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}"
_VALID = re.compile(rf"(?:[a-z]+://)?(?:(?:{_HOST}/)?{_NAMESPACE}/)?{_PART}(?::{_PART})?")


def is_valid(name: str) -> bool:
    """Say whether a name follows Ollama's grammar: [scheme://][host/][namespace/]model[:tag]."""
    return _VALID.fullmatch(name.strip()) is not None


def strip_tag(name: str) -> str:
    """Drop the default tag, which stands for no tag at all."""
    return name[: -len(DEFAULT_TAG)] if name.lower().endswith(DEFAULT_TAG) else name


def shortest(name: str) -> str:
    """Drop host and namespace where they are the ones that stand for none, as Ollama's lists do."""
    for default in (DEFAULT_HOST, DEFAULT_NAMESPACE):
        if name[: len(default)].lower() == default:
            name = name[len(default) :]
    return name


def tagged(name: str) -> str:
    """Write a name with its tag."""
    return name if ":" in name.rpartition("/")[2] else name + DEFAULT_TAG


def full_name(name: str) -> str:
    """Write a name with every part that it may have, as Ollama does in some of its errors."""
    whole = tagged(name.strip())
    with_namespace = whole if "/" in whole else DEFAULT_NAMESPACE + whole
    return with_namespace if with_namespace.count("/") > 1 else DEFAULT_HOST + with_namespace


def canonical(name: str) -> str:
    """Bring a name to the form in which equal names are equal."""
    folded = strip_tag(name.strip()).lower()
    return shortest(folded) if "/" in folded else folded


class Pattern:
    """A pattern with one star, matched against canonical names."""

    __slots__ = ("_most_slashes", "head", "length", "tail")

    def __init__(self, text: str) -> None:
        folded = strip_tag(text.strip()).lower()
        self.head, _, self.tail = shortest(folded).partition("*")
        self.length = len(self.head) + len(self.tail)
        # Ollama's own namespace is left out of names, and a pattern of it is no pattern of all namespaces.
        self._most_slashes = _SLASHES.get(folded[: len(folded) - len(shortest(folded))], MOST_SLASHES)

    def match(self, name: str) -> str | None:
        """Give what the star stands for, in the spelling of `name`, or None."""
        plain = strip_tag(name.strip())
        if "/" in plain:
            plain = shortest(plain)
        folded = plain.lower()
        if len(folded) <= self.length or not folded.startswith(self.head) or not folded.endswith(self.tail):
            return None
        star = plain[len(self.head) : len(plain) - len(self.tail)]
        return star if star.count("/") <= self._most_slashes else None


def matches(pattern: str, name: str) -> bool:
    """Say whether a name, or a pattern with at most one star, covers `name`."""
    if "*" not in pattern:
        return canonical(pattern) == canonical(name)
    return pattern == "*" or Pattern(pattern).match(name) is not None
