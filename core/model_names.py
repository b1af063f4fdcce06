"""Model names: what is the same name, which are names at all, and what a pattern with one star matches. Pure.

Every comparison of names goes through `canonical`, and every name of a client first through `is_acceptable`.
Source: Ollama `types/model/name.go` and `server/routes.go:getExistingName`: names compare without regard to
case, `name` is `name:latest`, and the registry and the namespace of its own are no part of a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

DEFAULT_TAG = ":latest"
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go takes for white space. Python would take some control characters for it, too."""
# What Ollama puts before a name that has no slash: with them it is the same name.
DEFAULT_HOST = "registry.ollama.ai/"
DEFAULT_NAMESPACE = "library/"
PREFIXES = (DEFAULT_HOST, DEFAULT_NAMESPACE, "http://", "https://")
"""What says nothing. Ollama drops any scheme; others than these are part of ids such as s3://bucket/model."""
LONGEST_HOST = 350
LONGEST_PART = 80
LONGEST = LONGEST_HOST + 3 * LONGEST_PART + 3
"""Characters of host/namespace/model:tag. No name of more is routed, listed, kept or searched."""
LONGEST_ASKED = LONGEST + 64
"""Characters of a name with spaces around it, up to which what is found out about it is kept."""
MOST_SLASHES = LONGEST
_REACHES = {DEFAULT_NAMESPACE: 0, DEFAULT_HOST: 1}
"""With what a canonical pattern begins -> how many slashes its star may stand for; else any number."""
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")


def is_valid(name: str) -> bool:
    """Say whether a name follows Ollama's grammar: [scheme://][host/][namespace/]model[:tag].

    Taken apart from its end, as Ollama does it, so that this takes no longer than the name is.
    """
    if len(name) > LONGEST_ASKED:
        name = name.strip(SPACE)
    return len(name) <= LONGEST_ASKED and _is_valid(name)


@lru_cache(maxsize=1024)
def _is_valid(name: str) -> bool:
    rest, tag = name.strip(SPACE), "latest"
    if len(rest) > LONGEST:
        return False
    if rest.rfind(":") > rest.rfind("/"):
        rest, _, tag = rest.rpartition(":")
    above, slash, model = rest.rpartition("/")
    if not _PART.fullmatch(model) or not _PART.fullmatch(tag):
        return False
    if not slash:
        return True
    host, slash, namespace = above.rpartition("/")
    host = host.partition("://")[2] or host
    return bool(_NAMESPACE.fullmatch(namespace)) and (not slash or bool(_HOST.fullmatch(host)))


def is_acceptable(name: str) -> bool:
    """Say whether a client may ask for a name: a valid one, or one as backends have them beyond the grammar.

    Those are such as accounts/fireworks/models/x, ft:gpt-4o:org::id or /data/models/x. What is neither is a
    misspelling of a valid name (`m:latest:latest`, `m:`), or holds what no id has: a star, control signs, or
    letters that only look like others. Whether an acceptable name exists is the routing table's to say.
    """
    if is_valid(name):
        return True
    core = trim(name)
    return (
        bool(core)
        and len(core) <= LONGEST
        and core not in (".", "..")  # a model may be part of a URL at the backend
        and core[0] != ":"
        and core[-1] not in ":/"
        and "*" not in core
        and core.isprintable()
        and (core.isascii() or unicodedata.is_normalized("NFKC", core))
        and not is_valid(core)
    )


def has_scheme(name: str) -> bool:
    """Say whether a name still begins with a scheme, which Ollama would drop and other backends would not."""
    return "://" in name


def fault_of_pattern(text: str) -> str:
    """Say what is wrong with a name or pattern that an operator gives; empty if nothing is."""
    if text.count("*") > 1:
        return "A pattern may hold one * only."
    # Any letter may stand where the star does.
    if not is_acceptable(text.replace("*", "x")):
        return (
            f"{clip(text)!r} is no model name: it has at most {LONGEST} characters and one tag, and neither "
            "control characters nor an empty part at its end."
        )
    return ""


def clip(name: str) -> str:
    """Bound a name that is told to somebody."""
    return name if len(name) <= LONGEST else name[:LONGEST] + "…"


def strip_tag(name: str) -> str:
    """Drop the default tag, which stands for no tag at all."""
    return name[: -len(DEFAULT_TAG)] if name.lower().endswith(DEFAULT_TAG) else name


def shortest(name: str) -> str:
    """Drop host and namespace where they are the ones that stand for none, as Ollama's lists do."""
    if len(name) > LONGEST:
        return name
    folded = _fold_case(name)
    start = 0
    while start < len(name) and (step := _prefix(folded, start, len(folded))):
        start += step
    return name[start:]


def add_tag(name: str) -> str:
    """Write a name with its tag."""
    return name if ":" in name.rpartition("/")[2] else name + DEFAULT_TAG


def full_name(name: str) -> str:
    """Write a name with every part that it may have, as Ollama does in some of its errors."""
    whole = add_tag(name.strip(SPACE))
    with_namespace = whole if "/" in whole else DEFAULT_NAMESPACE + whole
    return with_namespace if with_namespace.count("/") > 1 else DEFAULT_HOST + with_namespace


def trim(name: str) -> str:
    """Drop all that says nothing, however often it stands there, and keep the spelling of the rest."""
    return _core(name)[0]


def canonical(name: str) -> str:
    """Bring a name, or a pattern, to the form in which equal ones are equal. Twice is the same as once."""
    core, folded, prefix = _core(name)
    # Of a pattern the prefix says something: how far its star reaches.
    return prefix + folded if "*" in core and prefix in _REACHES else folded


def _core(name: str) -> tuple[str, str, str]:
    """Give what is left of a name as it is spelled, the same in lower case, and the last prefix dropped."""
    if len(name) <= LONGEST_ASKED:
        return _reduce(name)
    name = name.strip(SPACE)
    return _reduce(name) if len(name) <= LONGEST else (name, name, "")


@lru_cache(maxsize=1024)
def _reduce(name: str) -> tuple[str, str, str]:
    name = name.strip(SPACE)
    if len(name) > LONGEST:
        return name, name, ""
    folded = _fold_case(name)
    start, end, prefix = 0, len(folded), ""
    while start < end:
        if step := _prefix(folded, start, end):
            prefix = folded[start : start + step]
            start += step
        elif folded.endswith(DEFAULT_TAG, start, end):
            end -= len(DEFAULT_TAG)
        elif folded[start] in SPACE:
            start += 1
        elif folded[end - 1] in SPACE:
            end -= 1
        else:
            break
    return name[start:end], folded[start:end], prefix


def _prefix(folded: str, start: int, end: int) -> int:
    """Give the length of a prefix that says nothing, 0 if there is none."""
    if not folded.startswith(PREFIXES, start, end):
        return 0
    return next(len(prefix) for prefix in PREFIXES if folded.startswith(prefix, start, end))


def _fold_case(text: str) -> str:
    """Lower the case letter by letter: nothing changes its length, so that places stay the same."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


class Pattern:
    """A pattern with one star, matched against canonical names."""

    __slots__ = ("_most_slashes", "_untagged", "head", "length", "tail")

    def __init__(self, text: str) -> None:
        key = canonical(text)
        self._most_slashes = MOST_SLASHES
        for prefix, slashes in _REACHES.items():
            if key.startswith(prefix):
                key, self._most_slashes = key[len(prefix) :], slashes
                break
        self.head, _, self.tail = key.partition("*")
        self.length = len(self.head) + len(self.tail)
        is_of_tags = ":" in self.head.rpartition("/")[2] and "/" not in self.tail
        self._untagged = self.head.rpartition(":")[0] if is_of_tags else ""
        """Where the star stands for a tag, or a part of one: the name without it, with the default tag."""

    def match(self, name: str) -> str | None:
        """Give what the star stands for, in the spelling of `name`, or None."""
        core, folded, _ = _core(name)
        return self.star(core, folded)

    def star(self, core: str, folded: str) -> str | None:
        """Do the same for a name that is trimmed, given also in lower case. The star may stand for nothing.

        What the star stands for is asked of backends as a name, so that it has to be canonical itself: else
        `openai/library/m` would reach through `openai/*` the model of an exact `openai/m`, and not its rules.
        """
        if self._untagged and folded == self._untagged:
            core, folded = core + DEFAULT_TAG, folded + DEFAULT_TAG
        if not folded or len(folded) < self.length:
            return None
        if not folded.startswith(self.head) or not folded.endswith(self.tail):
            return None
        star = core[len(self.head) : len(core) - len(self.tail)]
        if self.length and trim(star) != star:
            return None
        return star if star.count("/") <= self._most_slashes else None


def spellings(name: str) -> tuple[str, str]:
    """Give a name trimmed, and canonical: what `Pattern.star` takes."""
    core, folded, _ = _core(name)
    return core, folded


compiled = lru_cache(maxsize=4096)(Pattern)
"""Patterns come from operators, so there are few."""


def matches(pattern: str, name: str) -> bool:
    """Say whether a name, or a pattern with at most one star, covers `name`."""
    return covers((pattern,), name)


def covers(patterns: Iterable[str], name: str) -> bool:
    """Say whether one of these names and patterns covers `name`."""
    core, folded, _ = _core(name)
    return any(
        pattern == "*"
        or (
            compiled(pattern).star(core, folded) is not None
            if "*" in pattern
            else canonical(pattern) == folded
        )
        for pattern in patterns
    )


def show_with_tag(name: str) -> str:
    """Show a name as Ollama's lists do: short, and with its tag, which clients add to a name without one."""
    return add_tag(shortest(name))
