"""JSON schemas of our own types, for the description of the API. Pure.

The types as they are say more than a client needs (unknown keys are let through after all) and hold raw JSON,
which has no schema. So each is copied without that, and the copies are described.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any

import msgspec

Schema = dict[str, Any]

TEMPLATE = "#/components/schemas/{name}"
TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
ANY_OBJECT: Schema = {"type": "object"}
BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
VECTOR: Schema = {"type": "array", "items": {"type": "number"}}
DURATION: Schema = {
    "description": "Seconds, or a duration such as 1h30m. Negative: for ever. 0: unload.",
    "anyOf": [{"type": "number"}, TEXT],
}
THINK: Schema = {"anyOf": [{"type": "boolean"}, {"enum": ["low", "medium", "high", "max"]}]}
FORMAT: Schema = {
    "description": "The word json, or a JSON schema that the answer has to fit.",
    "anyOf": [{"const": "json"}, ANY_OBJECT],
}
DIGESTS: Schema = {"type": "object", "additionalProperties": TEXT}
IMAGES: Schema = {"type": "array", "items": BASE64}

# What the types leave open, or say in Python's words: by name of the schema and of the field.
REFINED: dict[str, dict[str, Schema]] = {
    "ChatRequest": {"format": FORMAT, "keep_alive": DURATION, "think": THINK},
    "GenerateRequest": {"format": FORMAT, "keep_alive": DURATION, "think": THINK, "images": IMAGES},
    "EmbedRequest": {"input": {"anyOf": [TEXT, TEXTS]}, "keep_alive": DURATION},
    "EmbeddingRequest": {"keep_alive": DURATION},
    "CreateRequest": {"license": {"anyOf": [TEXT, TEXTS]}, "files": DIGESTS, "adapters": DIGESTS},
    "Message": {"images": IMAGES},
    "FunctionCall": {"arguments": ANY_OBJECT},
    "AnswerFunction": {"arguments": ANY_OBJECT},
    "EmbedReply": {"embeddings": {"type": "array", "items": VECTOR}},
    "EmbeddingReply": {"embedding": VECTOR},
    "ToolUseBlock": {"input": ANY_OBJECT},
    "ResponsesRequest": {"input": {"anyOf": [TEXT, {"type": "array", "items": ANY_OBJECT}]}},
}


def schemas(kinds: Iterable[Any]) -> dict[str, Schema]:
    """Describe types, and those that they are made of, by name."""
    _, components = msgspec.json.schema_components(map(copy_struct, kinds), ref_template=TEMPLATE)
    for name, fields in REFINED.items():
        components[name]["properties"] |= fields
    for schema in components.values():
        schema.pop("title", None)
    return components


@cache
def copy_struct(kind: Any) -> Any:
    """Copy a struct without raw JSON, without defaults that say nothing, and open to unknown keys."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [(field.name, _hint(hints[field.name]), _field(field)) for field in msgspec.structs.fields(kind)]
    config = kind.__struct_config__
    return msgspec.defstruct(
        kind.__name__,
        fields,
        module=kind.__module__,
        namespace={"__doc__": inspect.cleandoc(kind.__doc__ or "")},  # Python 3.13 does it by itself
        kw_only=True,
        tag=config.tag,
        tag_field=config.tag_field,
    )


def _hint(hint: Any) -> Any:
    if hint is msgspec.Raw:
        return Any
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return copy_struct(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is None or origin is typing.Literal:
        return hint
    if origin is Annotated:
        return Annotated[_hint(args[0]), *args[1:]]
    inner = tuple(_hint(arg) for arg in args if arg is not msgspec.UnsetType)
    return typing.Union[inner] if origin in (types.UnionType, typing.Union) else origin[inner]  # noqa: UP007  # made of a tuple


def _field(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return msgspec.field(name=field.encode_name)
    if field.default and isinstance(field.default, bool | int | str):
        return msgspec.field(name=field.encode_name, default=field.default)
    return msgspec.field(name=field.encode_name, default_factory=_omit_default)


def _omit_default() -> None:
    """Stand for a default that is left out of the schema: a field without one would count as required."""
