"""Thinking in `encrypted_content` of reasoning items, for clients that keep nothing on the server. Pure.

Agents ask for it (`include: ["reasoning.encrypted_content"]`), throw the summary away and send the item back
in a loop of tool calls. Ollama puts the plain text there; ours is the text behind a mark. What OpenAI or xAI
put there is sealed, and nobody's thinking to read.
Source: OpenAI API reference, "Responses", `include`; Ollama `openai/responses.go`.
"""

from __future__ import annotations

import re
from typing import Any

MARK = "llamagate.1:"
SEALED = re.compile(r"[\w+/=.:~-]*", re.ASCII)
"""Of one word in letters of base64 and the like. Thinking in plain text has spaces, or other letters."""


def write_thinking(text: str) -> str:
    """Put thinking where a client keeps it."""
    return MARK + text


def read_thinking(given: Any) -> str:
    """Read thinking that we or an Ollama put there; nothing where it is sealed."""
    if not isinstance(given, str):
        return ""
    if given.startswith(MARK):
        return given.removeprefix(MARK)
    return "" if SEALED.fullmatch(given) else given
