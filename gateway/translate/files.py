"""Documents in a conversation: as files, where a kind of backend takes them, else named in words. Pure.

Source: OpenAI API reference, "Chat completions", `file` parts.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.diagnostics import SILENT, Diagnostics

Part = dict[str, Any]
Turn = dict[str, Any]

FILE = "file"
PDF = "application/pdf"
MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")
WHITE_SPACE = re.compile(r"\s+")


def make_file_part(name: str | None, media_type: str | None, data: str) -> Part:
    """Make the part of a document in base64."""
    kind = (media_type or PDF).lower()
    kind = kind if MEDIA_TYPE.fullmatch(kind) else PDF
    letters = WHITE_SPACE.sub("", data)
    named = name or f"document.{'pdf' if kind == PDF else 'bin'}"
    return {"type": FILE, "file": {"filename": named, "file_data": f"data:{kind};base64,{letters}"}}


def name_file(name: str) -> str:
    """Write what stands in the place of a document that cannot be shown."""
    return f"[The document {name!r} stands here. It cannot be shown to this model.]"


def name_files(turns: list[Turn], diagnostics: Diagnostics = SILENT) -> list[Turn]:
    """Name the files in turns, of which there are some, instead of sending them."""
    diagnostics.note_changed(
        "messages", "messages", "documents are named in words: this kind of backend takes no files"
    )
    return [_name_files_of(turn) if isinstance(turn.get("content"), list) else turn for turn in turns]


def _name_files_of(turn: Turn) -> Turn:
    parts = [_name(part) if part.get("type") == FILE else part for part in turn["content"]]
    if parts == turn["content"]:
        return turn
    if all(part.get("type") == "text" for part in parts):
        return {**turn, "content": "\n".join(part["text"] for part in parts)}
    return {**turn, "content": parts}


def _name(part: Part) -> Part:
    return {"type": "text", "text": name_file(str(part[FILE].get("filename") or "document"))}
