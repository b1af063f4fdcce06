"""Former names of a profile's fields, and how a profile that uses them gets the names of today. Pure.

For one release both names are read, in the admin, in the configuration file and from the database: another
process of an earlier release may still write to the same database. The migration that renames what is
stored uses this module too, so the table stays as long as that migration does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

Fields = dict[str, Any]

RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "alternate_roles": "requires_alternating_roles",
        "asks_for_usage": "accepts_stream_options",
        "bare_calls": "tool_calls_without_content",
        "bare_schema": "completions_schema_field",
        "completes": "has_completions_api",
        "drops": "drop_params",
        "drops_thinking": "drop_params_when_reasoning",
        "embed": "embeddings",
        "embed.batch": "embeddings.batch_size",
        "embed.normalised": "embeddings.normalized",
        "fill": "infill",
        "fill.answer": "infill.response_shape",
        "first_event_s": "first_token_timeout_s",
        "idle_s": "idle_timeout_s",
        "images": "accepts_images",
        "least_tokens": "max_tokens_minimum",
        "merge_system": "merge_system_messages",
        "messages": "has_messages_api",
        "prefill.turn": "prefill.message",
        "ranges": "param_ranges",
        "reading": "response_parsing",
        "reading.counts": "response_parsing.completion_tokens_from",
        "reading.tags": "response_parsing.reasoning_tags",
        "replay": "replay_fields",
        "responses": "has_responses_api",
        "routing_members": "routing_params",
        "routing_tools": "routing_tool_types",
        "says_json": "requires_json_word",
        "schema_drops": "drop_schema_keywords",
        "short_call_ids": "requires_short_tool_call_ids",
        "sources": "metadata_sources",
        "stop_limit": "max_stop_sequences",
        "thinks_unasked": "reasons_by_default",
        "tool_images": "accepts_tool_result_images",
    }
)
"""Old name -> name of today. `outer.inner` is a member of the object that stands in a field."""

RESTORED: Mapping[str, str] = MappingProxyType({new: old for old, new in RENAMED.items()})
"""The other way, for a release that knows the old names only."""


def rename_profile(profile: Any, names: Mapping[str, str] = RENAMED) -> Any:
    """Give a profile with the names of today, at the top, in `per_model` and in inner objects.

    What is renamed already stays, and so does what is no profile at all: checking it is another's task.
    Maps whose keys are the operator's own (`body`, `headers`, `options`, ...) are left alone.

    Raises:
        ValueError: a field stands there under both of its names. The text names them.
    """
    if not isinstance(profile, dict):
        return profile
    renamed = _rename_fields(profile, names)
    parts = renamed.get("per_model")
    if isinstance(parts, dict):
        renamed["per_model"] = {
            pattern: _rename_part(pattern, part, names) for pattern, part in parts.items()
        }
    return renamed


def list_old_names(profile: Any) -> list[tuple[str, str]]:
    """List (where the old name stands, its name of today), such as `("per_model.^qwen.fill", "infill")`."""
    return list(_find_old_names(profile)) if isinstance(profile, dict) else []


def describe_old_names(profile: Any) -> list[str]:
    """Say of each old name what it is called today, in one sentence."""
    return [f"{place} is now called {new}." for place, new in list_old_names(profile)]


def _rename_part(pattern: str, part: Any, names: Mapping[str, str]) -> Any:
    try:
        return _rename_fields(part, names) if isinstance(part, dict) else part
    except ValueError as error:
        raise ValueError(f"per_model: {pattern!r}: {error}") from None


def _rename_fields(fields: Fields, names: Mapping[str, str]) -> Fields:
    """Rename the fields of one level, and in each the members of the object that stands there."""
    renamed = _rename_keys(fields, {old: new for old, new in names.items() if "." not in old})
    for outer, inner in _inner_names(names).items():
        if isinstance(renamed.get(outer), dict):
            renamed[outer] = _rename_keys(renamed[outer], inner)
    return renamed


def _rename_keys(fields: Fields, names: Mapping[str, str]) -> Fields:
    for old in names.keys() & fields.keys():
        if names[old] in fields:
            raise ValueError(f"{old} and {names[old]} are one field, once by its old name: keep only one")
    return {names.get(name, name): value for name, value in fields.items()}


def _inner_names(names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Give, for each field by its new name, old member -> new member."""
    found: dict[str, dict[str, str]] = {}
    for old, new in names.items():
        outer, _, inner = new.partition(".")
        if inner:
            found.setdefault(outer, {})[old.partition(".")[2]] = inner
    return found


def _find_old_names(fields: Fields, place: str = "") -> Iterator[tuple[str, str]]:
    inner_names = _inner_names(RENAMED)
    for name, value in fields.items():
        new = RENAMED.get(name) if "." not in name else None
        if new:
            yield f"{place}{name}", new
        members = inner_names.get(new or name, {})
        if isinstance(value, dict):
            yield from ((f"{place}{name}.{old}", members[old]) for old in value if old in members)
    parts = fields.get("per_model")
    if not place and isinstance(parts, dict):
        for pattern, part in parts.items():
            if isinstance(part, dict):
                yield from _find_old_names(part, f"per_model.{pattern}.")
