"""Documents in a conversation: as files, where a kind of backend takes them, else named in words. Pure.

Images are named, too, for the APIs of agents, where a refusal would come again with every later turn.

Source: OpenAI API reference, "Chat completions", `file` parts.
"""

from __future__ import annotations

import operator
import re
from typing import Any

from gateway.diagnostics import SILENT, Diagnostics

Part = dict[str, Any]
Turn = dict[str, Any]

FILE = "file"
IMAGE_NAMED = "[An image stands here. It cannot be shown to this model.]"
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
    """Name the files in turns instead of sending them."""
    return _name_parts(
        turns, (FILE,), "documents are named in words: this kind of backend takes no files", diagnostics
    )


def name_images(turns: list[Turn], diagnostics: Diagnostics = SILENT) -> list[Turn]:
    """Tell of the images and sounds in turns instead of sending them."""
    why = "images are told of in words: this kind of backend takes none"
    return _name_parts(turns, ("image_url", "input_audio"), why, diagnostics)


def _name_parts(turns: list[Turn], kinds: tuple[str, ...], why: str, diagnostics: Diagnostics) -> list[Turn]:
    made = [_name_parts_of(turn, kinds) for turn in turns]
    if all(map(operator.is_, made, turns)):
        return turns
    diagnostics.note_changed("messages", "messages", why)
    return made


def _name_parts_of(turn: Turn, kinds: tuple[str, ...]) -> Turn:
    content = turn.get("content")
    if not isinstance(content, list) or not any(part.get("type") in kinds for part in content):
        return turn
    parts = [_name(part) if part.get("type") in kinds else part for part in content]
    if all(part.get("type") == "text" for part in parts):
        return {**turn, "content": "\n".join(part["text"] for part in parts)}
    return {**turn, "content": parts}


def _name(part: Part) -> Part:
    if part["type"] != FILE:
        return {"type": "text", "text": IMAGE_NAMED}
    return {"type": "text", "text": name_file(str(part[FILE].get("filename") or "document"))}
