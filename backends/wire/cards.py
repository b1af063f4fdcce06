"""A backend's model list, in any of its shapes, to cards. Pure.

Accepts `{"data": [...]}`, `{"models": [...]}` and a bare array. Where a server tells more than the id, it is
kept: the context length above all, which clients plan with.
"""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.openai import BadReply

# First that exists wins: the loaded length before the trained one: planning with the latter ends in 400s.
CONTEXT_PATHS = (
    ("loaded_context_length",),
    ("meta", "n_ctx"),
    ("max_model_len",),
    ("context_window",),
    ("top_provider", "context_length"),
    ("context_length",),
    ("max_context_length",),
    ("max_input_tokens",),
    ("meta", "n_ctx_train"),
)


class ModelCard(msgspec.Struct, frozen=True):
    """What a backend says of one of its models."""

    id: str
    created: int = 0
    """Unix time, 0 when unknown."""
    context_length: int | None = None
    parameters: int | None = None
    """Number of parameters."""
    embedding_length: int | None = None
    size: int | None = None
    """Bytes."""
    modalities: tuple[str, ...] = ()
    """Input modalities, such as text and image."""
    supported: tuple[str, ...] = ()
    """Request parameters and features that the server names, such as tools."""


def parse_model_list(body: bytes) -> tuple[ModelCard, ...]:
    """Read a model list. Raises `BadReply` when it is none."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(str(error)) from None
    return tuple(_card(entry) for entry in _entries(decoded) if _id(entry))


def _entries(decoded: Any) -> list[dict[str, Any]]:
    found = decoded
    if isinstance(decoded, dict):
        found = decoded.get("data") if isinstance(decoded.get("data"), list) else decoded.get("models")
    if not isinstance(found, list):
        raise BadReply("not a list of models")
    return [entry for entry in found if isinstance(entry, dict)]


def _id(entry: dict[str, Any]) -> str:
    name = entry.get("id") or entry.get("name") or ""
    return name if isinstance(name, str) else ""


def _card(entry: dict[str, Any]) -> ModelCard:
    return ModelCard(
        id=_id(entry),
        created=_integer(entry.get("created")) or 0,
        context_length=_first_length(entry),
        parameters=_integer(_at(entry, ("meta", "n_params"))),
        embedding_length=_integer(_at(entry, ("meta", "n_embd"))),
        size=_integer(_at(entry, ("meta", "size"))),
        modalities=_words(_at(entry, ("architecture", "input_modalities"))),
        supported=_words(entry.get("supported_parameters")),
    )


def _first_length(entry: dict[str, Any]) -> int | None:
    lengths = (_integer(_at(entry, path)) for path in CONTEXT_PATHS)
    return next((length for length in lengths if length), None)


def _at(entry: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = entry
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _integer(value: Any) -> int | None:
    return (
        int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None
    )


def _words(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
