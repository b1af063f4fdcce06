"""Refuse functions whose name is a bare participle: `make names`.

A function does something, so its name begins with a verb in the imperative (`resolve_route`), or it is a
noun for what it gives (`context_length`), or a predicate (`is_done`). A participle at either end (`shown`,
`sent_type`, `list_ignored`) says neither what is done nor to what.

The order of the checks: the name as a whole may be allowed, with a reason; a predicate may end as it likes;
then no first and no last word may be a participle.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PREDICATES = ("is", "has", "can", "may")
"""What follows is a state, and a participle names one."""
REPORTS = ("note",)
"""`note_changed` reads as `note that it changed`: the object of these verbs is an event. They stand first."""

ALLOWED = {
    "connection_made": "asyncio.Protocol calls it",
    "connection_lost": "asyncio.Protocol calls it",
    "data_received": "asyncio.Protocol calls it",
    "eof_received": "asyncio.Protocol calls it",
    "bound_data": "django.forms.Field calls it",
    "revoke_selected": "an action of the admin, named as Django names its own `delete_selected`",
    "save_related": "django.contrib.admin.ModelAdmin calls it",
    "done_reason": "a field of Ollama's answers",
}
"""Name -> why it is allowed."""

_IRREGULAR = """
arisen awoken beaten become been begun bent bitten bled blown born borne bought bound bred broken
brought built burnt caught chosen clung crept dealt done drawn driven drunk dug eaten fallen fed
felt flown forbidden forgiven forgotten fought found frozen given gone gotten grown had heard held
hidden hung kept known laid lain learnt led left lent lit lost made meant met mistaken outgrown
overlaid overridden paid proven ridden risen rung sang sat seen sent shaken shown shot shrunk slept
sold sought spelt spent split spoken spun stolen stood struck stuck stung sung sunk swept sworn swum
swung taken taught thought thrown told torn understood undone unwound upheld woken won worn wound
woven written
came did gave ran said saw took was went were wrote
"""
IRREGULAR = frozenset(_IRREGULAR.split())
"""Participles that do not end in -ed, and past tenses that are no better."""
ONLY_AT_THE_END = frozenset({"read", "split"})
"""Words that are also an imperative: `read_body` does something, `note_read` and `last_read` do not."""
_NOT_PARTICIPLES = (
    "bed bleed breed deed embed exceed feed indeed need proceed reed seed shed speed succeed weed"
)
NOT_PARTICIPLES = frozenset(_NOT_PARTICIPLES.split())
"""Words that only end like one."""
ALLOWANCE = "A name that a framework calls is allowed in .ci/check_names.py, with the reason."
PREFIXES = ("un", "re", "over", "mis")


class Fault(NamedTuple):
    """A function with a name that says too little."""

    path: Path
    line: int
    name: str
    word: str


def is_participle(word: str) -> bool:
    """Say whether a word is a participle, by the list or by its end."""
    if word in NOT_PARTICIPLES:
        return False
    stems = [word, *(word.removeprefix(prefix) for prefix in PREFIXES)]
    return word.endswith("ed") or any(stem in IRREGULAR for stem in stems)


def find_fault(name: str) -> str | None:
    """Give the word that makes a name a bare participle; None where the name is fine."""
    words = [word for word in name.lower().split("_") if word]
    if name in ALLOWED or not words or words[0] in PREDICATES:
        return None
    if words[0] not in ONLY_AT_THE_END and is_participle(words[0]):
        return words[0]
    last = words[-1]
    if len(words) == 1 or words[0] in REPORTS:
        return None
    return last if last in ONLY_AT_THE_END or is_participle(last) else None


def check_source(path: Path, source: str) -> Iterator[Fault]:
    """Find the functions and methods of a file whose names say too little."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (word := find_fault(node.name)):
            yield Fault(path, node.lineno, node.name, word)


def check_folders(folders: Iterable[Path]) -> list[Fault]:
    """Check every Python file below the folders."""
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    return [fault for file in files for fault in check_source(file, file.read_text(encoding="utf-8"))]


def main(arguments: list[str]) -> int:
    """Check the folders that are named; print what is wrong; 1 if anything is."""
    folders = [Path(argument) for argument in arguments]
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise SystemExit(f"no such folder: {', '.join(missing)}")
    faults = check_folders(folders)
    for path, line, name, word in faults:
        sys.stdout.write(
            f"{path}:{line}: {name}: `{word}` is a participle. Begin with a verb, or name the result.\n"
        )
    if faults:
        sys.stdout.write(f"{len(faults)} names. {ALLOWANCE}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
