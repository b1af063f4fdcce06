"""Images and sounds as parts of a chat completion's message. Pure."""

from __future__ import annotations

import base64
from typing import Any

# How a file begins, in base64 -> its type. Source: the formats' magic numbers.
IMAGE_TYPES = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("Qk", "image/bmp"),
)
UNKNOWN_IMAGE_TYPE = "image/jpeg"
MP3_FRAMES = (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
BEGINNING = 16
"""Characters of base64: the twelve bytes that tell a sound from an image."""


def content_with_images(text: str, images: list[str]) -> str | list[dict[str, Any]]:
    """Give plain text, or the text part followed by one part per image; sounds come as images, too."""
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    return parts + [_part(image.replace("\n", "").replace("\r", "")) for image in images]


def _part(encoded: str) -> dict[str, Any]:
    """Make the part for an image or a sound.

    Source: Ollama `llm/llama_server.go:llamaServerChatRequest`, which tells them apart by their bytes.
    """
    sound = _sound_format(base64.b64decode(encoded[:BEGINNING]))
    if sound:
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": sound}}
    return {"type": "image_url", "image_url": {"url": data_url(encoded)}}


def _sound_format(head: bytes) -> str:
    if head.startswith(b"RIFF") and head.endswith(b"WAVE"):
        return "wav"
    return "mp3" if head.startswith((b"ID3", *MP3_FRAMES)) else ""


def data_url(image: str) -> str:
    """Wrap base64 as a data URL with the sniffed type; line breaks inside go."""
    letters = image.replace("\n", "").replace("\r", "")
    kind = next((kind for magic, kind in IMAGE_TYPES if letters.startswith(magic)), UNKNOWN_IMAGE_TYPE)
    return f"data:{kind};base64,{letters}"
