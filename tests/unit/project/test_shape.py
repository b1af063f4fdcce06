"""The shape of the code: modules that fit on a few screens, short functions, names that mean one thing.

Counted are the lines of a function's body from its first statement to its last, blank ones and comments too,
its signature and docstring not; a function inside another counts for itself as well.
"""

import ast
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from backends.wire import overflow
from backends.wire.model_cards import CAPABILITIES
from tests.support.environment import ROOT

PRODUCT = ("proxy_site", "console", "ollama_api", "gateway", "usage", "accounts", "backends", "core")
LONGEST_MODULE, LONGEST_TEST = 350, 500
MEDIAN, NINTH_DECILE = 9, 32
COMMANDS = "management/commands"
"""Its modules are named as what an operator types, after the module that does the work if there is one."""

MEANINGS = {
    "admin": "an app's pages in Django's admin",
    "api": "the operations of the API that its package is named after",
    "apps": "Django's configuration of an app",
    "chat": "the chat of the API that its package is named after",
    "checks": "an app's system checks: what would fail later is said at start",
    "errors": "what its package can fail with, or how its API writes a failure",
    "fields": "model fields for secrets; one of the two is a path that old migrations import",
    "models": "an app's tables, as Django's ORM has them",
    "reply": "a whole answer of the API that its package is named after",
    "request": "what came from a client, and how it is read",
    "services": "the writers of what an app stores",
    "stream": "a streamed answer of the API that its package is named after",
    "tools": "the tools of a request: how they are read and what is sent of them",
    "types": "the structs of the API that its package is named after",
    "urls": "Django's table of URLs of one door",
    "views": "Django views of the API that its package is named after",
}
"""Leaf names that several modules may have, each with the one meaning that it has in all of them."""


def _list_files(*roots: str) -> list[Path]:
    """List the Python files of some folders, without packages that were installed there."""
    found = (file for root in roots for file in sorted((ROOT / root).rglob("*.py")))
    return [file for file in found if "node_modules" not in file.parts]


def test_no_module_is_too_long() -> None:
    assert list(_find_long_modules(_list_files(*PRODUCT, "tests", "bench"))) == []


def _find_long_modules(files: Iterable[Path], root: Path = ROOT) -> Iterator[str]:
    for file in files:
        name, lines = file.relative_to(root), len(file.read_text().splitlines())
        if lines > (LONGEST_TEST if name.parts[0] == "tests" else LONGEST_MODULE):
            yield f"{name}: {lines} lines"


def test_functions_are_short() -> None:
    files = [file for file in _list_files(*PRODUCT) if file.parent.name != "migrations"]
    lengths = [length for file in files for length in _measure_functions(file.read_text())]
    assert len(lengths) > 1000
    assert statistics.median(lengths) <= MEDIAN
    assert statistics.quantiles(lengths, n=10)[-1] <= NINTH_DECILE


def _measure_functions(source: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_a_name_means_one_thing() -> None:
    shared = _find_shared_names(file.relative_to(ROOT).as_posix() for file in _list_files(*PRODUCT))
    unexplained = {name: places for name, places in shared.items() if name not in MEANINGS}
    assert unexplained == {}, "give one of them a name of its own, or MEANINGS the one meaning of both"
    assert MEANINGS.keys() == shared.keys(), "a meaning that no two modules share"


def _find_shared_names(files: Iterable[str]) -> dict[str, list[str]]:
    """Give the leaf names that several modules have; packages and migrations are named by their place."""
    named = defaultdict(list)
    for file in files:
        path = PurePosixPath(file)
        is_counted = path.name != "__init__.py" and path.parent.name != "migrations"
        if is_counted and not path.parent.as_posix().endswith(COMMANDS):
            named[path.stem].append(file)
    return {name: places for name, places in named.items() if len(places) > 1}


# The rules see what they are there to see


def test_a_module_that_is_too_long_is_seen(tmp_path: Path) -> None:
    files = [tmp_path / "core" / "a.py", tmp_path / "tests" / "b.py", tmp_path / "tests" / "c.py"]
    for file, lines in zip(files, (351, 500, 501), strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n" * lines)
    assert list(_find_long_modules(files, tmp_path)) == ["core/a.py: 351 lines", "tests/c.py: 501 lines"]


def test_a_function_is_as_long_as_its_body() -> None:
    source = '''
def one(
    a,
):
    """Say something

    at length.
    """
    # A comment before the first statement is none of it.
    b = a

    # One inside is.
    return b

async def two():
    """Nothing but words."""

def three():
    def four():
        return 1
    return four
'''
    assert sorted(_measure_functions(source)) == [0, 1, 3, 4]


def test_a_name_that_two_modules_share_is_seen() -> None:
    files = ["core/a.py", "gateway/deep/a.py", "gateway/b.py", "proxy_site/management/commands/b.py"]
    files += ["core/__init__.py", "gateway/__init__.py"]
    assert _find_shared_names(files) == {"a": ["core/a.py", "gateway/deep/a.py"]}


# What stands in one place


def test_there_is_one_list_of_capabilities() -> None:
    words = set(CAPABILITIES)
    places = _find_lists(
        lambda values: len(words & values) > 4, "backends", "gateway", "console", "ollama_api"
    )
    assert places == ["backends/wire/model_cards.py"]


def test_there_is_one_list_of_what_says_that_a_text_is_too_long() -> None:
    places = _find_lists(lambda values: any(map(overflow.is_too_long, values)), *PRODUCT)
    assert places == ["backends/wire/overflow.py"]


def _find_lists(is_one: Callable[[set[str]], bool], *roots: str) -> list[str]:
    """Name the files that write down a list of strings of some kind."""
    found = []
    for file in _list_files(*roots):
        if file.parent.name != "migrations":
            trees = [node for node in ast.walk(ast.parse(file.read_text())) if _is_list(node)]
            if any(is_one(_list_strings(node)) for node in trees):
                found.append(file.relative_to(ROOT).as_posix())
    return found


def _is_list(node: ast.AST) -> bool:
    return isinstance(node, ast.Tuple | ast.List | ast.Set)


def _list_strings(node: ast.AST) -> set[str]:
    elements = getattr(node, "elts", [])
    return {one.value for one in elements if isinstance(one, ast.Constant) and isinstance(one.value, str)}
