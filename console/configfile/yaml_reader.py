"""From YAML text to plain data: text, numbers, booleans, null, lists and objects with text as keys.

Stricter than PyYAML's safe loader, and bounded: a size, a depth, and a number of values that counts what
aliases repeat, so that nine lines cannot become a billion values. Messages name the line and never quote
what stands there, since it may be a secret.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from backends.storable import is_storable
from console.configfile.problems import ConfigError, refuse

MAX_BYTES = 1024 * 1024
MAX_VALUES = 200_000
CHARACTERS_PER_VALUE = 100
"""Long text counts as several values."""

TAG = "tag:yaml.org,2002:"
STR, INT, FLOAT, MERGE = TAG + "str", TAG + "int", TAG + "float", TAG + "merge"
PLAIN_TAGS = frozenset({STR, INT, FLOAT, MERGE, *(TAG + name for name in ("bool", "null", "seq", "map"))})
# YAML 1.1 takes 1e-3 for text, since it has no dot. Nobody means that.
EXPONENT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+\Z")
NUMBER_STARTS = list("-+0123456789")

QUOTE_THE_STAR = 'a * at the beginning needs quotes, such as name: "*"'
QUOTED = re.compile(r"'[^'<]{2,}'|\"[^\"<]{2,}\"")


class Loader(yaml.SafeLoader):
    """The safe loader without dates: what looks like one stays text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own contract
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TAG + "timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(raw: bytes) -> Any:
    """Read one document.

    Raises:
        ConfigError: it is too large, not UTF-8, not YAML, or holds what JSON cannot.
    """
    if len(raw) > MAX_BYTES:
        raise refuse("", f"The file is larger than {MAX_BYTES // 1024} KiB: split it.")
    try:
        return _load(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise refuse("", "The file is not UTF-8 text: save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error) from None
    except yaml.YAMLError:
        raise refuse("", "The file holds control characters: it is not YAML text.") from None
    except RecursionError:
        raise refuse("", "The file is nested too deeply.") from None


def _load(text: str) -> Any:
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Census().count(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Census:
    """Counts the values below a node as often as they are repeated, and refuses what is not plain data."""

    def __init__(self) -> None:
        self._sizes: dict[int, int | None] = {}

    def count(self, node: yaml.Node) -> int:
        """Give the number of values. The second visit of a shared node costs nothing."""
        if id(node) in self._sizes:
            size = self._sizes[id(node)]
            if size is None:
                raise refuse(_line(node.start_mark), "this refers to itself.")
            return size
        self._sizes[id(node)] = None
        size = self._sizes[id(node)] = 1 + self._inside(node)
        if size > MAX_VALUES:
            raise refuse("", f"The file holds more than {MAX_VALUES} values, counted with its aliases.")
        return size

    def _inside(self, node: yaml.Node) -> int:
        if node.tag not in PLAIN_TAGS:
            raise refuse(_line(node.start_mark), "tags with ! are not read here: write the value plainly.")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            return sum(self.count(value) for _, value in node.value)
        if isinstance(node, yaml.SequenceNode):
            return sum(self.count(item) for item in node.value)
        return len(node.value) // CHARACTERS_PER_VALUE


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in (STR, MERGE) or not isinstance(key, yaml.ScalarNode):
            raise refuse(_line(key.start_mark), "a field's name must be text: put it in quotes.")
        if key.value in seen:
            raise refuse(_line(key.start_mark), "this field is there twice: keep one of them.")
        seen.add(key.value)


def _str(loader: Loader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    if not is_storable(text):
        raise refuse(_line(node.start_mark), "this text holds a character that cannot be stored.")
    return text


def _int(loader: Loader, node: yaml.ScalarNode) -> int:
    try:
        return int(loader.construct_yaml_int(node))
    except ValueError:
        raise refuse(_line(node.start_mark), "this is not a number that can be read.") from None


def _float(loader: Loader, node: yaml.ScalarNode) -> float:
    try:
        number = float(loader.construct_yaml_float(node))
    except ValueError:
        number = math.nan
    if not is_storable(number):
        raise refuse(_line(node.start_mark), "this is not a finite number.")
    return number


def _bool(loader: Loader, node: yaml.ScalarNode) -> bool:
    try:
        return bool(loader.construct_yaml_bool(node))
    except KeyError:
        raise refuse(_line(node.start_mark), "this is neither true nor false.") from None


Loader.add_constructor(STR, _str)
Loader.add_constructor(INT, _int)
Loader.add_constructor(FLOAT, _float)
Loader.add_constructor(TAG + "bool", _bool)
Loader.add_implicit_resolver(FLOAT, EXPONENT, NUMBER_STARTS)


def _line(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}" if mark else ""


def _not_yaml(error: yaml.MarkedYAMLError) -> ConfigError:
    """Say it in PyYAML's words, without what they quote."""
    where = _line(error.problem_mark or error.context_mark)
    problem = error.problem or "cannot be read"
    if "alias" in f"{error.context} {problem}":
        return refuse(where, f"there is no such alias; {QUOTE_THE_STAR}.")
    if "single document" in f"{error.context} {problem}":
        return refuse(where, "a second document begins here: keep everything in one.")
    if "'\\t'" in problem:
        return refuse(where, "this is not YAML: indent with spaces, not with tabs.")
    return refuse(where, f"this is not YAML: {QUOTED.sub('…', problem)}.")
