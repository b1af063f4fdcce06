"""What may be left out of a request, or called otherwise, once a backend has refused it: the table. Pure.

Never what changes the question or the form of its answer: tools, `response_format`, `stop`, `n`, images.
"""

from __future__ import annotations

import msgspec

PARAMS = (
    "chat_template_kwargs",
    "enable_thinking",
    "frequency_penalty",
    "include_reasoning",
    "keep_alive",
    "metadata",
    "min_p",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "reasoning_effort",
    "reasoning_format",
    "repeat_last_n",
    "repeat_penalty",
    "repetition_penalty",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "stream_options",
    "temperature",
    "thinking",
    "top_k",
    "top_p",
    "ttl",
    "typical_p",
    "user",
    "verbosity",
)
"""Parameters without which an answer still is one to what was asked."""
SCHEMA_KEYWORDS = (
    "$comment",
    "$id",
    "$schema",
    "additionalProperties",
    "const",
    "contentEncoding",
    "contentMediaType",
    "default",
    "deprecated",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "patternProperties",
    "propertyNames",
    "readOnly",
    "strict",
    "title",
    "uniqueItems",
    "writeOnly",
)
RENAMES = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
ROLES = {"developer": "system", "system": "user"}


class Droppable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be left out, or called otherwise, once a backend has refused it as unsupported or unknown."""

    params: tuple[str, ...] = PARAMS
    """Request parameters."""
    renames: dict[str, str] = msgspec.field(default_factory=lambda: dict(RENAMES))
    """Request parameter -> another name for it."""
    schema_keywords: tuple[str, ...] = SCHEMA_KEYWORDS
    """Keywords within the schemas of tools."""
    roles: dict[str, str] = msgspec.field(default_factory=lambda: dict(ROLES))
    """A message's role -> the one in its place."""
