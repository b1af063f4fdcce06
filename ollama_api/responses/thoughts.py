"""Thinking in `encrypted_content` of reasoning items, for clients that keep nothing on the server. Pure.

Agents ask for it (`include: ["reasoning.encrypted_content"]`), throw the summary away and send the item back
in a loop of tool calls. Ollama puts the plain text there; ours is the text behind a mark. What OpenAI or xAI
put there is sealed, and nobody's thinking to read.
Source: OpenAI API reference, "Responses", `include`; Ollama `openai/responses.go`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.diagnostics import SILENT, Diagnostics
from gateway.raw_body import RawBody
from gateway.raw_forms import NULL, encode_raw

MARK = "llamagate.1:"
SEALED = re.compile(r"[\w+/=.:~-]*", re.ASCII)
"""Of one word in letters of base64 and the like. Thinking in plain text has spaces, or other letters."""

_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_item = msgspec.json.Decoder(dict[str, Any]).decode


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


def drop_own_thinking(body: RawBody, diagnostics: Diagnostics | None = None) -> RawBody:
    """Take items of ours out of a body that passes: who seals such items refuses those of others."""
    given = body.fields.get("input", NULL)
    if MARK.encode() not in bytes(given):
        return body
    try:
        items = _decode_items(given)
        kept = [item for item in items if MARK.encode() not in bytes(item) or not _is_own(_decode_item(item))]
    except (msgspec.DecodeError, RecursionError):
        return body  # the backend's to refuse
    if len(kept) < len(items):
        (diagnostics or SILENT).note_dropped(
            "input", "reasoning items of this server, which no other can open"
        )
        body.fields["input"] = encode_raw(kept)
    return body


def _is_own(item: dict[str, Any]) -> bool:
    sealed = item.get("encrypted_content")
    return item.get("type") == "reasoning" and isinstance(sealed, str) and sealed.startswith(MARK)
