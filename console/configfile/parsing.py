"""From plain data to a `Config`, with errors in the words of the file's author. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from msgspec import UnsetType

from console.configfile.problems import ConfigError, Problem, refuse
from console.configfile.schema import (
    VERSION,
    ApiKey,
    BackendEntry,
    Config,
    KeyEntry,
    MappingEntry,
    Secret,
    TargetEntry,
    TeamEntry,
    TurnEntry,
)
from core.model_names import canonical

EntryT = TypeVar("EntryT")

STRUCTS: dict[str, type[msgspec.Struct]] = {
    "": Config,
    "backends": BackendEntry,
    "backends.api_keys": ApiKey,
    "mappings": MappingEntry,
    "mappings.targets": TargetEntry,
    "mappings.messages": TurnEntry,
    "teams": TeamEntry,
    "teams.keys": KeyEntry,
    "teams.keys.key": Secret,
}
KINDS = {
    "array": "a list",
    "object": "fields with values",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
LOCATED = re.compile(r"(?P<text>.*?)(?: - at `\$?\.?(?P<path>.*)`)?", re.DOTALL)
EXPECTED = re.compile(r"Expected `(?P<wanted>.+)`, got `(?P<got>.+)`")
UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")
# What does not look like a field's name may be a secret in the wrong place.
FIELD_LIKE = re.compile(r"[a-z_]{1,24}")


def parse(data: Any) -> Config:
    """Check the shape of a file, and that no two entries have the same name.

    Raises:
        ConfigError: with every problem's path.
    """
    _check_version(data)
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError([_explain(str(error))]) from None
    problems = list(_twice(config))
    if problems:
        raise ConfigError(problems)
    return config


def _check_version(data: Any) -> None:
    if data is None:
        raise refuse("", "The file is empty: begin with `version: 1`.")
    if not isinstance(data, dict):
        raise refuse("", "The file must be fields with values: begin with `version: 1`.")
    version = data.get("version")
    if version is None:
        raise refuse("version", "is missing: begin the file with `version: 1`.")
    if version is True or version != VERSION:
        raise refuse("version", f"must be {VERSION}: this release of Llamagate reads no other.")


def _explain(message: str) -> Problem:
    """Turn msgspec's sentence into ours. Its path is right already, but for `$.`."""
    located = LOCATED.fullmatch(message)
    text, path = (located["text"], located["path"] or "") if located else (message, "")
    if unknown := UNKNOWN.fullmatch(text):
        return _explain_unknown_field(path, unknown["field"])
    if missing := MISSING.fullmatch(text):
        return Problem(_join(path, missing["field"]), "is missing: add it.")
    if expected := EXPECTED.fullmatch(text):
        return Problem(path, _wrong_kind(expected["wanted"], expected["got"]))
    return Problem(path, text)


def _explain_unknown_field(path: str, field: str) -> Problem:
    struct = STRUCTS.get(re.sub(r"\[\d+\]|\[\.\.\.\]", "", path))
    known = [] if struct is None else [info.name for info in msgspec.structs.fields(struct)]
    advice = f"Known fields: {', '.join(known)}."
    if not FIELD_LIKE.fullmatch(field):
        return Problem(path, f"holds an unknown field. {advice}")
    near = get_close_matches(field, known, n=1)
    return Problem(
        _join(path, field), f"is no field here. {f'Did you mean {near[0]}? ' if near else ''}{advice}"
    )


def _wrong_kind(wanted: str, got: str) -> str:
    kinds = [KINDS.get(kind, kind) for kind in wanted.split(" | ") if kind != "null"]
    advice = " Put it in quotes." if "str" in wanted and got in ("int", "float", "bool") else ""
    if got == "null":
        advice = " Fill it in, or leave the field out."
    return f"must be {' or '.join(kinds)}, and is {KINDS.get(got, got)}.{advice}"


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _twice(config: Config) -> Iterable[Problem]:
    """Find entries of the same name: the second would silently win, or take turns with the first."""
    backends, mappings, teams = (
        list_entries(part) for part in (config.backends, config.mappings, config.teams)
    )
    yield from _find_duplicates("backends", "name", [entry.name for entry in backends])
    yield from _find_duplicates("mappings", "name", [canonical(entry.name) for entry in mappings])
    yield from _find_duplicates("teams", "name", [entry.name for entry in teams])
    for place, backend in enumerate(backends):
        labels = [key.label for key in list_entries(backend.api_keys)]
        yield from _find_duplicates(f"backends[{place}].api_keys", "label", labels)
    for place, mapping in enumerate(mappings):
        targets = [f"{target.model} on {target.backend}" for target in mapping.targets]
        yield from _find_duplicates(f"mappings[{place}].targets", "", targets)
    for place, team in enumerate(teams):
        yield from _find_duplicates(
            f"teams[{place}].keys", "name", [key.name for key in list_entries(team.keys)]
        )


def _find_duplicates(path: str, field: str, names: list[str]) -> Iterable[Problem]:
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        before = first.setdefault(name, place)
        if before != place:
            where = _join(f"{path}[{place}]", field) if field else f"{path}[{place}]"
            yield Problem(where, f"is the same as in {path}[{before}]: keep one of them.")


def list_entries(entries: list[EntryT] | UnsetType) -> list[EntryT]:
    """Give the entries of a list that may be left out."""
    return [] if isinstance(entries, UnsetType) else entries
