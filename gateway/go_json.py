"""Read a body the way Go's encoding/json does, with its error texts. Pure; the slow path.

`parse` tries msgspec first, which takes everything that well-behaved clients send. What that refuses comes
here: keys in any case, unknown keys, nulls, bytes behind the first value, and all that is truly wrong.

Source: Go `encoding/json/decode.go` and `scanner.go`; Ollama v0.33 as probed.
"""

from __future__ import annotations

import json
import math
import re
import types
import typing
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NoReturn, TypeVar

import msgspec

from gateway import counts
from gateway.errors import BadRequest

GO_NAMES: dict[type, str] = {}
"""What Go calls our structs. Each API's types add their own when they are imported, and nothing later."""

StructT = TypeVar("StructT", bound=msgspec.Struct)
ValueT = TypeVar("ValueT")

BOM = b"\xef\xbb\xbf"
TOO_DEEP = "exceeded max depth"
LARGEST_INT = 2**63
GO_KINDS: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
}
GO_TYPES: dict[Any, str] = {
    str: "string",
    bool: "bool",
    int: "int",
    dict[str, Any]: "map[string]interface {}",
}
# A pair of surrogate escapes, a lone one, or any other escape.
ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)
LONE_SURROGATE_LENGTH = 6
# Fields whose Go type has a name of its own.
GO_FIELD_TYPES: dict[str, str] = {
    "images": "[]api.ImageData",
    "tools": "api.Tools",
    "arguments": "api.ToolCallFunctionArguments",
}


def decode(body: bytes, kind: type[StructT]) -> StructT:
    """Read the first JSON value of `body` into a `kind`. Raises `BadRequest` in Go's words."""
    value = first_value(body)
    if value is None:
        return kind()
    if not isinstance(value, dict):
        raise BadRequest(f"json: cannot unmarshal {_kind(value)} into Go value of type api.{GO_NAMES[kind]}")
    try:
        found: StructT = _Reader(GO_NAMES[kind]).struct(value, kind, "")
    except RecursionError:
        raise BadRequest(TOO_DEEP) from None
    return found


def first_value(body: bytes) -> Any:
    """Read the first JSON value; what follows is ignored. Raises `BadRequest`."""
    if not body.strip():
        raise BadRequest("missing request body")
    if body.startswith(BOM):
        raise BadRequest("invalid character 'ï' looking for beginning of value")
    counts.check_values(body)
    text = _without_lone_surrogates(body.decode("utf-8", "replace").lstrip(" \t\r\n"))
    try:
        value, _ = _decoder.raw_decode(text)
    except json.JSONDecodeError as error:
        raise BadRequest(_syntax(error, text)) from None
    except RecursionError:
        raise BadRequest(TOO_DEEP) from None
    return value


def _without_lone_surrogates(text: str) -> str:
    """Replace unpaired surrogate escapes, as Go does: they could not leave as UTF-8."""
    return ESCAPE.sub(_replace_escape, text) if "\\ud" in text or "\\uD" in text else text


def _replace_escape(escape: re.Match[str]) -> str:
    return "\\ufffd" if len(escape.group()) == LONE_SURROGATE_LENGTH else escape.group()


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"invalid character '{name.lstrip('-')[0]}' looking for beginning of value")


def _integer(text: str) -> int | float:
    """Python refuses integers of more than 4300 digits; Go only where they do not fit."""
    return int(text) if len(text) < 400 else math.inf


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer, strict=True)


def _syntax(error: json.JSONDecodeError, text: str) -> str:
    """Say it roughly as Go does: clients look at the status and the shape, not at this text."""
    if error.pos >= len(text) or error.msg.startswith("Unterminated"):
        return "unexpected EOF"
    char = text[error.pos]
    quoted = "'\\''" if char == "'" else f"'{char}'" if char.isprintable() else f"'\\x{ord(char):02x}'"
    where = {
        "Expecting value": "looking for beginning of value",
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Expecting ',' delimiter": "after object key:value pair",
        "Invalid control character at": "in string literal",
        "Invalid \\escape": "in string escape code",
    }
    return f"invalid character {quoted} {where.get(error.msg, 'looking for beginning of value')}"


def fold_keys(fields: Mapping[str, ValueT], known: Collection[str]) -> dict[str, ValueT]:
    """Give members their known names, whatever case they came in; of several the last wins."""
    return {low if (low := name.lower()) in known else name: value for name, value in fields.items()}


def misfit(item: Any, field: str, wanted: str, detail: str = "") -> str:
    """Say in Go's words that a value is not of its field's type."""
    return f"json: cannot unmarshal {_kind(item)}{detail} into Go struct field {field} of type {wanted}"


class _Reader:
    """Fills structs from decoded JSON, and complains with the path that Go would name."""

    def __init__(self, top: str) -> None:
        self.top = top

    def struct(self, value: dict[str, Any], kind: Any, path: str) -> Any:
        """Match keys without regard to case, the last one wins, null is absent, unknown keys are skipped."""
        wanted = fields_of(kind)
        filled: dict[str, Any] = {}
        for key, item in value.items():
            field = wanted.get(key.lower())
            if field is not None and item is not None:
                name, hint = field
                filled[name] = self.value(item, hint, f"{path}.{key.lower()}")
        return kind(**filled)

    def value(self, item: Any, hint: Any, path: str) -> Any:
        """Fit one value to a type."""
        if hint is Any:
            return item
        if hint is msgspec.Raw:
            return msgspec.Raw(msgspec.json.encode(item))
        if hint in (str, bool, int):
            return self.scalar(item, hint, path)
        if typing.get_origin(hint) is list:
            return self.array(item, typing.get_args(hint)[0], hint, path)
        if not isinstance(item, dict):
            self.refuse(item, hint, path)
        return self.struct(item, hint, path) if isinstance(hint, type) and hint in GO_NAMES else item

    def scalar(self, item: Any, hint: type, path: str) -> Any:
        """Go converts nothing: text is text, and neither 1.0 nor 1e30 is an int."""
        is_too_large = isinstance(item, int) and not -LARGEST_INT <= item < LARGEST_INT
        if type(item) is hint and not is_too_large:
            return item
        is_number = hint is int and type(item) in (int, float) and math.isfinite(item)
        self.refuse(item, hint, path, detail=f" {item}" if is_number else "")

    def array(self, item: Any, hint: Any, whole: Any, path: str) -> list[Any]:
        """Fit every element; null elements are empty ones."""
        if not isinstance(item, list):
            self.refuse(item, whole, path)
        return [self.value(entry, hint, path) if entry is not None else _empty(hint) for entry in item]

    def refuse(self, item: Any, hint: Any, path: str, detail: str = "") -> NoReturn:
        """Raise in Go's words."""
        raise BadRequest(misfit(item, f"{self.top}{path}", go_type(hint, path), detail))


@cache
def fields_of(kind: Any) -> dict[str, tuple[str, Any]]:
    """Map lower-case wire names to (attribute, type)."""
    hints = typing.get_type_hints(kind)
    return {
        field.encode_name.lower(): (field.name, _without_null(hints[field.name]))
        for field in msgspec.structs.fields(kind)
    }


def _without_null(hint: Any) -> Any:
    """Give the type that an optional field has when it is not null; nulls are skipped before."""
    is_optional = isinstance(hint, types.UnionType)
    return next(part for part in typing.get_args(hint) if part is not type(None)) if is_optional else hint


def go_type(hint: Any, path: str) -> str:
    """Name a type as Go would."""
    named = GO_FIELD_TYPES.get(path.rpartition(".")[2])
    if named is not None and typing.get_origin(hint) is not None:
        return named
    if typing.get_origin(hint) is list:
        inner = typing.get_args(hint)[0]
        return "[]api.Message" if GO_NAMES.get(inner) == "Alias" else f"[]{go_type(inner, '')}"
    return GO_TYPES.get(hint) or f"api.{GO_NAMES.get(hint, 'Value')}"


def _kind(value: Any) -> str:
    return GO_KINDS.get(type(value), "null")


def _empty(hint: Any) -> Any:
    kind = typing.get_origin(hint) or hint
    return kind() if isinstance(kind, type) else None
