"""How much memory it takes to keep a part of an answer. Pure.

Near enough for a bound, and cheap: texts are measured, anything else is reckoned by its JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof
from typing import Any

import msgspec

from backends.wire.openai_types import ToolCallDelta

PER_BYTE = 20
"""Bytes of memory for a byte of JSON, at worst: an empty list is three bytes with its comma, and 64 here."""


def weight(*parts: Any) -> int:
    """Give the bytes of memory that parts of an answer take."""
    return sum(map(_weight, filter(None, parts)))


def weight_of_calls(fragments: Iterable[ToolCallDelta]) -> int:
    """Give the bytes of memory that fragments of tool calls take."""
    return sum(map(_weight_of_call, fragments))


def _weight_of_call(call: ToolCallDelta) -> int:
    function = call.function
    if function is None:
        return weight(call.id, call.extra_content)
    return weight(call.id, function.name, function.arguments, call.extra_content)


def _weight(part: Any) -> int:
    if isinstance(part, str):
        return getsizeof(part)
    return PER_BYTE * len(msgspec.json.encode(part))
