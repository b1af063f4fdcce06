"""What a process of ours holds for good: containers and caches that modules reach, and which may grow."""

import ast
import importlib
import inspect
import pkgutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

import msgspec

PACKAGES = ("core", "backends", "accounts", "usage", "gateway", "console", "ollama_api", "proxy_site")
CONTAINERS = (dict, list, set, deque, bytearray, WeakKeyDictionary, WeakSet, WeakValueDictionary)
GROWING = frozenset(("add", "append", "appendleft", "extend", "extendleft", "insert", "setdefault", "update"))
MOST_LOOKED_INTO = 200
DEEPEST = 6


class Bound(NamedTuple):
    """How many entries there may be, and why no more."""

    most: int
    why: str


class Held(NamedTuple):
    """One container, or one cache of a function, and by which names it is reached."""

    place: str
    name: str
    home: str
    """The module whose text may change it: where it is assigned, or where its owner's class is."""
    found: Any

    @property
    def is_cache(self) -> bool:
        return hasattr(self.found, "cache_parameters")

    @property
    def size(self) -> int:
        return int(self.found.cache_info().currsize) if self.is_cache else len(self.found)


def modules() -> list[ModuleType]:
    """Import everything of ours but migrations."""
    found = []
    for package in map(importlib.import_module, PACKAGES):
        infos = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        names = [info.name for info in infos if ".migrations" not in info.name]
        found += [package, *map(importlib.import_module, names)]
    return found


def everything(where: Iterable[ModuleType]) -> list[Held]:
    """List what the modules, their classes and their instances of our classes hold."""
    walk = _Walk()
    listed = list(where)
    for module in listed:  # first where a thing is at home, then where it was imported to
        defined = _assigned(module)
        for name, value in vars(module).items():
            if name in defined:
                walk.visit(f"{module.__name__}:{name}", name, module.__name__, value)
    for module in listed:
        for name, value in vars(module).items():
            if not name.startswith("__"):
                walk.visit(f"{module.__name__}:{name}", name, module.__name__, value)
    return walk.held


class _Walk:
    def __init__(self) -> None:
        self.held: list[Held] = []
        self._seen: dict[int, Any] = {}

    def visit(self, place: str, name: str, home: str, value: Any, depth: int = 0) -> None:
        if depth > DEEPEST or id(value) in self._seen or isinstance(value, ModuleType):
            return
        if isinstance(value, CONTAINERS) or hasattr(value, "cache_parameters"):
            self._seen[id(value)] = value
            self.held.append(Held(place, name, home, value))
            for inner in _values(value):
                self.visit(f"{place}[]", name, home, inner, depth + 1)
        elif isinstance(value, type):
            if _is_ours(value):
                self._seen[id(value)] = value
                self._inside(place, value.__module__, vars(value), depth)
        elif _is_ours(type(value)):
            self._seen[id(value)] = value
            self._inside(place, type(value).__module__, _attributes(value), depth)

    def _inside(self, place: str, home: str, attributes: Mapping[str, Any], depth: int) -> None:
        for name, value in list(attributes.items()):
            if not name.startswith("__"):
                self.visit(f"{place}.{name}", name, home, value, depth + 1)


def _values(container: Any) -> list[Any]:
    if isinstance(container, Mapping):
        return list(container.values())[:MOST_LOOKED_INTO]
    return (
        []
        if isinstance(container, bytearray) or not isinstance(container, Iterable)
        else list(container)[:MOST_LOOKED_INTO]
    )


def _attributes(thing: Any) -> dict[str, Any]:
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    fields = thing.__struct_fields__ if isinstance(thing, msgspec.Struct) else ()
    names = [*getattr(thing, "__dict__", ()), *slots, *fields]
    return {name: getattr(thing, name) for name in names if hasattr(thing, name)}


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in PACKAGES


def _assigned(module: ModuleType) -> set[str]:
    """Name what a module's own text assigns at its top level."""
    found = set()
    for node in _tree(module).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def _tree(module: ModuleType) -> ast.Module:
    try:
        return ast.parse(inspect.getsource(module))
    except OSError:  # an empty file
        return ast.parse("")


def grown_names(where: Iterable[ModuleType]) -> set[tuple[str, str]]:
    """Name, with their module, the variables and attributes that its functions put something into."""
    return {(module.__name__, name) for module in where for name in _grown(_tree(module))}


def _grown(tree: ast.Module) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            local = _locals(function)
            for node in ast.walk(function):
                for target in _put_into(node):
                    if isinstance(target, ast.Attribute):
                        yield target.attr
                    elif isinstance(target, ast.Name) and target.id not in local:
                        yield target.id


def _locals(function: ast.AST) -> set[str]:
    """Name what a function binds itself, which hides a module's variable of that name."""
    told = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    bound = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return (bound | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}) - told


def _put_into(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GROWING:
        yield node.func.value
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Subscript):
                yield target.value
            elif isinstance(node, ast.AugAssign):
                yield target


def unknown(held: Iterable[Held], grown: set[tuple[str, str]], bounds: Mapping[str, Bound]) -> list[str]:
    """Say in a sentence of each what nobody has bounded."""
    found = []
    for one in held:
        if one.is_cache:
            limit = one.found.cache_parameters()["maxsize"]
            may_grow, advice = limit is None, "give it a maxsize"
        else:
            may_grow, advice = (one.home, one.name) in grown, "give it a bound"
        if may_grow and one.place not in bounds:
            found.append(
                f"{one.place} grows while the server runs: {advice}, and a line in tests/support/bounds.py"
            )
    return found
