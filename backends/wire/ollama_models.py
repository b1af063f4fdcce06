"""What an Ollama tells of its models, kept so that clients are told the same. Pure.

Source: Ollama `api/types.go` (ListModelResponse, ModelDetails, ShowResponse), `server/routes.go`
(GetModelInfo).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

LONGEST_DETAIL = 128
"""Characters of one detail, such as a family."""
MOST_FAMILIES = 32
MOST_SHOWN = 1 << 16
"""Bytes that are kept of what /api/show says of one model, as JSON. What does not fit is left out."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class OllamaDetails(msgspec.Struct, frozen=True):
    """The member `details` of lists and of /api/show."""

    parent_model: str = ""
    format: str = ""
    family: str = ""
    families: tuple[str, ...] = ()
    parameter_size: str = ""
    quantization_level: str = ""


class OllamaShow(msgspec.Struct, frozen=True):
    """What /api/show says beyond the details."""

    model_info: dict[str, Any] = {}
    parameters: str = ""
    messages: tuple[dict[str, str], ...] = ()
    projector_info: dict[str, Any] = {}
    template: str = ""
    system: str = ""
    license: str = ""


def read_details(found: Any) -> OllamaDetails | None:
    """Read the details of a model; None if there are none."""
    if not isinstance(found, dict) or not found:
        return None
    families = found.get("families")
    texts = {name: _detail(found.get(name)) for name in OllamaDetails.__struct_fields__ if name != "families"}
    listed = map(_detail, families[:MOST_FAMILIES]) if isinstance(families, list) else ()
    return OllamaDetails(families=tuple(filter(None, listed)), **texts)


def read_show(found: dict[str, Any]) -> OllamaShow | None:
    """Read the rest of /api/show, in the order of its fields, as far as it fits; None if it says nothing."""
    members: dict[str, Any] = {}
    left = MOST_SHOWN
    for name in OllamaShow.__struct_fields__:
        value = _READERS[name](found.get(name))
        size = len(msgspec.json.encode(value))
        if value and size <= left:
            members[name] = value
            left -= size
    return OllamaShow(**members) if members else None


def read_digest(value: Any) -> str:
    """Read a digest; empty if it is none."""
    return value if isinstance(value, str) and _DIGEST.fullmatch(value) else ""


def _detail(value: Any) -> str:
    return value[:LONGEST_DETAIL] if isinstance(value, str) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _turns(value: Any) -> tuple[dict[str, str], ...]:
    turns = [turn for turn in value if isinstance(turn, dict)] if isinstance(value, list) else []
    return tuple({"role": _text(turn.get("role")), "content": _text(turn.get("content"))} for turn in turns)


_READERS = {
    "model_info": _object,
    "parameters": _text,
    "messages": _turns,
    "projector_info": _object,
    "template": _text,
    "system": _text,
    "license": _text,
}
