"""The documentation page about dialects, made from the table itself so that it cannot be wrong."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import msgspec

from backends.wire.dialect import Dialect, EmbedStyle, Fill, ModelSource, Prefill, ThinkStyle
from backends.wire.dialects import DIALECTS
from backends.wire.droppable import Droppable
from backends.wire.profile_names import RENAMED
from backends.wire.reading import Reading
from backends.wire.styles import OPTIONS

HEAD = """# Dialects

Written by `manage.py dialects --markdown docs/dialects.md`; changes by hand are lost.

A dialect says how a kind of backend differs from OpenAI's API: how it is reached, what it calls options, how
thinking is switched, what its conversations may look like. It is chosen for each backend in the admin or in
the [configuration file](configuration-file.md). A server that nobody knows works as `generic`.

What is different at your server can be laid over in the backend's `profile`, field by field, in the admin or
in the file:

```yaml
backends:
  - name: proxy
    base_url: http://10.0.0.7:9000      # no path: the dialect's own is added, here /v1
    dialect: generic
    profile:
      max_tokens: max_completion_tokens
      headers: {X-Team: research}
      options: {top_k: top_k, seed: null}          # maps are merged; null takes a member out
      per_model: {"^qwen": {drop_params: [logprobs]}}    # for models whose name there fits the pattern
```

`manage.py dialects NAME` shows a whole profile, `manage.py trace FILE` what a profile makes of a request.
"""
SHOWN = {"name", "label", "documentation", "unverified"}
OBJECTS: dict[str, type[msgspec.Struct]] = {
    "think": ThinkStyle,
    "response_parsing": Reading,
    "droppable": Droppable,
    "prefill": Prefill,
    "embeddings": EmbedStyle,
    "infill": Fill,
    "metadata_sources": ModelSource,
}
"""Fields that hold an object, or a list of them, and its type."""
PLAIN = Dialect(name="", label="")


def write_page() -> str:
    """Write the page."""
    fields = [*_fields(), "", *_old_names()]
    lines = [HEAD, *fields, "", *_table(), "", *_options(), "", *(line for row in _rows() for line in row)]
    return "\n".join(lines)


def builtins(row: Dialect) -> dict[str, Any]:
    """Give a profile as JSON has it; what has no order in order, so that the same is always written."""
    whole: dict[str, Any] = msgspec.to_builtins(row)
    sets = {name for name in whole if isinstance(getattr(row, name), frozenset)}
    return {name: sorted(value) if name in sets else value for name, value in whole.items()}


def _fields() -> list[str]:
    lines = ["## Fields of a profile", "", "| Field | Default | Meaning |", "| --- | --- | --- |"]
    meanings = _docs(Dialect)
    for field in msgspec.structs.fields(Dialect):
        if field.name not in SHOWN:
            default = builtins(PLAIN)[field.name]
            lines.append(_field_row(field.name, default, meanings.get(field.name, "")))
            lines += _member_rows(field.name)
    return lines


def _member_rows(field: str) -> list[str]:
    """Describe the members of the object that stands in a field, if one does."""
    struct = OBJECTS.get(field)
    if struct is None:
        return []
    meanings = _docs(struct)
    return [
        _field_row(f"{field}.{member.name}", _default(member), meanings.get(member.name, ""))
        for member in msgspec.structs.fields(struct)
    ]


def _field_row(name: str, default: Any, meaning: str) -> str:
    value = "" if default is msgspec.NODEFAULT else f"`{json.dumps(default)}`"
    return f"| `{name}` | {value} | {meaning} |"


def _default(member: msgspec.structs.FieldInfo) -> Any:
    return member.default if member.default_factory is msgspec.NODEFAULT else member.default_factory()


def _old_names() -> list[str]:
    """List what fields were called in earlier releases."""
    return [
        "## Renamed fields",
        "",
        "Earlier releases called some fields by other names. This release still reads an old name wherever",
        "a profile is written, and stores the new one; `manage.py apply` and the admin say so. A field under",
        "both of its names is refused. `manage.py migrate` renames what is stored.",
        "",
        "| Old name | Name |",
        "| --- | --- |",
        *(f"| `{old}` | `{new}` |" for old, new in RENAMED.items()),
    ]


def _docs(struct: type) -> dict[str, str]:
    """Read what stands below each field in the source."""
    found = re.findall(r'^    (\w+): [^\n]*\n    """(.*?)"""', inspect.getsource(struct), re.M | re.S)
    return {name: " ".join(text.split()) for name, text in found}


def _table() -> list[str]:
    lines = ["## The kinds", "", "| Name | Kind | Address |", "| --- | --- | --- |"]
    lines += [f"| `{row.name}` | {row.label} | {row.base_url or 'yours'} |" for row in DIALECTS.values()]
    return lines


def _options() -> list[str]:
    """Give the verdict on each option: where it maps, and what is an extension of OpenAI's API."""
    names = [*{name: None for row in DIALECTS.values() for name in row.options}]
    lines = [
        "## Options",
        "",
        "What Ollama's options become. *In italics*: an extension of OpenAI's API. Empty: there is no",
        "such field, so the option is not sent, and the trace says so. `num_predict` becomes the field in",
        "the last column; 0 and less are said by saying nothing, as is a `seed` below 0. Options about",
        "loading a model (`num_ctx`, `num_gpu`, ...) are never sent, except to Ollama, which gets all.",
        "`num_ctx` bounds the texts of `/api/embed`: by `embeddings.max_tokens`, else by counts.",
        "",
        f"| Dialect | {' | '.join(f'`{name}`' for name in names)} | `num_predict` |",
        f"| --- |{' --- |' * (len(names) + 1)}",
    ]
    return lines + [_option_row(row, names) for row in DIALECTS.values()]


def _option_row(row: Dialect, names: list[str]) -> str:
    if row.protocol == "ollama":
        return f"| `{row.name}` |{' as it is |' * (len(names) + 1)}"
    cells = [_cell(row.options.get(name, ""), name) for name in names]
    return f"| `{row.name}` | {' | '.join(cells)} | `{row.max_tokens}` |"


def _cell(wire_name: str, option: str) -> str:
    if not wire_name:
        return ""
    return f"`{wire_name}`" if option in OPTIONS else f"*{wire_name}*"


def _rows() -> list[list[str]]:
    """Tell of each what differs from the plain profile, and who says so."""
    return [
        [f"### {row.label}", "", *_sources(row), "```json", _differences(row), "```", ""]
        for row in DIALECTS.values()
    ]


def _sources(row: Dialect) -> list[str]:
    """Name the pages that a row was taken from, and the fields that none of them supports."""
    lines = [f"Taken from: {'; '.join(row.documentation)}."] if row.documentation else []
    if row.unverified:
        fields = ", ".join(f"`{name}`" for name in row.unverified)
        lines.append(f"Unverified, since no page supports them: {fields}.")
    return [*lines, ""] if lines else []


def _differences(row: Dialect) -> str:
    plain = builtins(PLAIN)
    own = {name: value for name, value in builtins(row).items() if name not in SHOWN and value != plain[name]}
    return json.dumps(own, indent=2)
