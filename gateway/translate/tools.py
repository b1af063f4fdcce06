"""Tools on their way to a chat completion. Pure."""

from __future__ import annotations

from typing import Any

ANY_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
"""The schema of a function that takes no parameters, which OpenAI wants spelled out."""
