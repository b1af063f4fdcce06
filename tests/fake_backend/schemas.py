"""Values that fit a JSON schema, made of what a prompt gives: its numbers, and its words in quotes."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .records import Json

_SAMPLES: Json = {"string": "Paris", "integer": 7, "number": 1.5, "boolean": True, "array": [], "object": {}}
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
_QUOTED = re.compile(r"""'([^']+)'|"([^"]+)\"""")
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_DEEPEST = 8
"""Schemas may contain themselves; below this nothing is made up any more."""


def sample(schema: Json, prompt: str = "") -> Any:
    """Make up a value that fits a schema. Numbers and words in quotes are taken from the prompt in order."""
    return _Sampler(schema, prompt).value(schema)


class _Sampler:
    def __init__(self, root: Json, prompt: str) -> None:
        self._root = root
        self._numbers = iter(_NUMBER.findall(prompt))
        self._quoted = (one or other for one, other in _QUOTED.findall(prompt))

    def value(self, schema: Json, depth: int = 0) -> Any:
        schema = self._plain(schema)
        if "const" in schema or schema.get("enum"):
            return schema["const"] if "const" in schema else schema["enum"][0]
        match _kind(schema):
            case "object" if depth < _DEEPEST:
                fields: Json = schema.get("properties") or {}
                return {name: self.value(field, depth + 1) for name, field in fields.items()}
            case "array" if schema.get("items") and depth < _DEEPEST:
                return [self.value(schema["items"], depth + 1)]
            case kind:
                return self._simple(kind)

    def _simple(self, kind: str) -> Any:
        if kind == "integer":
            return next((int(float(number)) for number in self._numbers), _SAMPLES[kind])
        if kind == "number":
            return next((float(number) for number in self._numbers), _SAMPLES[kind])
        if kind == "string":
            return next(self._quoted, _SAMPLES[kind])
        return _SAMPLES.get(kind)

    def _plain(self, schema: Json) -> Json:
        """Follow a reference, and take the first alternative that is not null."""
        if reference := schema.get("$ref"):
            return self._plain(_found(self._root, reference.removeprefix("#/").split("/")))
        alternatives: Iterator[Json] = (one for key in _ALTERNATIVES for one in schema.get(key) or ())
        chosen = next((one for one in alternatives if one.get("type") != "null"), None)
        return self._plain(chosen) if chosen else schema


def _kind(schema: Json) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return next((kind for kind in kinds if kind != "null"), "null")
    return str(kinds or ("object" if "properties" in schema else None))


def _found(root: Json, path: Sequence[str]) -> Json:
    for name in path:
        root = root[name]
    return root
