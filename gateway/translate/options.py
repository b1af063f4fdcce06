"""Ollama's options: one table, read by one loop. Pure.

A verdict per option: a dialect has a wire name for it, or it has no meaning for a server that was started by
somebody else and is not sent. What is not sent is named by `ignored`, never clamped or dropped in silence.
Source: Ollama `api/types.go:Options.FromMap`; defaults and types in its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from backends.wire.dialect import Dialect
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest

Kind = Literal["float32", "integer", "boolean", "strings"]

KINDS: Mapping[str, Kind] = {
    "temperature": "float32",
    "top_p": "float32",
    "top_k": "integer",
    "min_p": "float32",
    "typical_p": "float32",
    "repeat_penalty": "float32",
    "repeat_last_n": "integer",
    "presence_penalty": "float32",
    "frequency_penalty": "float32",
    "seed": "integer",
    "num_predict": "integer",
    "stop": "strings",
    "num_keep": "integer",
    "num_ctx": "integer",
    "num_batch": "integer",
    "num_gpu": "integer",
    "main_gpu": "integer",
    "num_thread": "integer",
    "draft_num_predict": "integer",
    "use_mmap": "boolean",
}
WHOLE_CONTEXT = 10_000_000
"""More tokens than any context has: llama.cpp refuses Ollama's -1."""
MAX_FLOAT32 = 3.4028234663852886e38
# These describe how a model is loaded. A backend is loaded already, and every client's habit of sending them
# is not worth a warning.
ABOUT_LOADING: Mapping[str, str] = dict.fromkeys(
    ("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "draft_num_predict"),
    "it says how a model is loaded, and the backend has loaded its own",
)

NEVER_LOST = ("num_predict", "stop")
"""The first has a wire name of its own; `stop` strings that are not sent are looked for in the answer."""


def merge_options(
    defaults: Mapping[str, Any],
    given: Mapping[str, Any],
    forced: Mapping[str, Any],
    diagnostics: Diagnostics = SILENT,
) -> dict[str, Any]:
    """Lay the mapping's defaults under, and its forced options over, what the client gave; check the types.

    Raises:
        BadRequest: an option is of the wrong type. (Ollama says the same with status 500.)
    """
    present = {name: value for name, value in given.items() if value is not None}
    if not defaults and not forced:
        return check_options(present)
    for name in forced:
        diagnostics.note_added(f"options.{name}", "the mapping forces it")
    for name in defaults.keys() - present.keys() - forced.keys():
        diagnostics.note_added(f"options.{name}", "the mapping's default")
    return check_options({**defaults, **present, **forced})


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the options that Ollama knows and that are set, each of its type. Raises `BadRequest`."""
    return {
        name: _check_value(name, value)
        for name, value in options.items()
        if value is not None and name in KINDS
    }


def wire_options(
    options: Mapping[str, Any], dialect: Dialect, diagnostics: Diagnostics = SILENT
) -> dict[str, Any]:
    """Give the body fields for checked options."""
    fields: dict[str, Any] = {}
    for name, value in options.items():
        wire_name = dialect.max_tokens if name == "num_predict" else dialect.options.get(name)
        if wire_name is None:
            diagnostics.note_dropped(
                f"options.{name}", ABOUT_LOADING.get(name, "this kind of backend has no such field")
            )
        elif reason := _means_nothing(name, value):
            diagnostics.note_dropped(f"options.{name}", reason)
        else:
            fields[wire_name] = _convert_value(name, value, wire_name, dialect, diagnostics)
    return fields


def _convert_value(name: str, value: Any, wire_name: str, dialect: Dialect, diagnostics: Diagnostics) -> Any:
    if name == "stop" and len(value) > dialect.max_stop_sequences:
        why = f"only the first {dialect.max_stop_sequences} of {len(value)} are sent: more are refused there"
        diagnostics.note_changed("options.stop", wire_name, why)
        return value[: dialect.max_stop_sequences]
    if name == "repeat_last_n" and value < 0:
        diagnostics.note_changed(
            "options.repeat_last_n",
            wire_name,
            "below 0 means the whole context: more tokens than any has are sent",
        )
        return WHOLE_CONTEXT
    diagnostics.note_mapped(f"options.{name}", wire_name)
    return value


def list_ignored_options(options: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """Name what the client set and this kind of backend has no field for. Ollama gets all it knows."""
    supported = KINDS if dialect.protocol == "ollama" else dialect.options
    return [
        name
        for name in options
        if name not in supported and name not in NEVER_LOST and name not in ABOUT_LOADING
    ]


def _means_nothing(name: str, value: Any) -> str:
    """Say why there is nothing to send: no limit, and a random seed, are said by saying nothing."""
    if name == "num_predict" and value <= 0:
        return "no limit is said by saying nothing"
    if name == "seed" and value < 0:
        return "a random seed is said by saying nothing"
    return "there is none" if name == "stop" and not value else ""


def _check_value(name: str, value: Any) -> Any:
    kind = KINDS[name]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "float32" and is_number and abs(value) <= MAX_FLOAT32:
        return value
    if kind == "integer" and is_number and abs(value) < 2**63:
        return int(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "strings":
        return _check_strings(name, value)
    raise BadRequest(f'option "{name}" must be of type {kind}')


def _check_strings(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise BadRequest(f'option "{name}" must be of type array')
    if not all(isinstance(item, str) for item in value):
        raise BadRequest(f'option "{name}" must be of an array of strings')
    return value
