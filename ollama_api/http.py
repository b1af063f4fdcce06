"""The answers of the client door: JSON, NDJSON, and failures in Ollama's shape."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Protocol

from django.http import HttpResponse, StreamingHttpResponse

from gateway.errors import Failure
from ollama_api.json_encoding import to_json

JSON_TYPE = "application/json; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson"
PLAIN_TYPE = "text/plain"
NOSNIFF = (b"x-content-type-options", b"nosniff")
"""On every answer: a browser takes it for what it says it is, and for nothing that could run."""
BINARY_TYPE = "application/octet-stream"
MEDIA_TYPE = re.compile(r"([a-z]+)/([a-z0-9][a-z0-9!#$&^_.+-]{0,63})[ \t]*(?:;|\Z)", re.IGNORECASE)
CHARSET = re.compile(r";[ \t]*charset=\"?([a-z0-9][a-z0-9_.:+-]{0,39})\"?[ \t]*(?:;|\Z)", re.IGNORECASE)
PASSIVE_KINDS = frozenset({"audio", "image", "video"})
PASSIVE_TYPES = frozenset(
    {
        "application/json",
        "application/x-ndjson",
        "application/x-subrip",
        "text/event-stream",
        "text/plain",
        "text/srt",
        "text/vtt",
    }
)


class Lines(Protocol):
    """A source of NDJSON that can be closed before its end."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Let go of everything at once."""

    def last_words(self, failure: Failure) -> bytes:
        """Tell a failure after the first byte."""


class LineStream(StreamingHttpResponse):
    """Closes its source as soon as the client leaves, where the stock class may leave it to the collector."""

    media_type = NDJSON_TYPE

    def __init__(self, lines: Lines) -> None:
        super().__init__(content_type=self.media_type)
        self._lines = lines

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._lines.__aiter__()

    async def aclose(self) -> None:
        """Close the source."""
        await self._lines.aclose()

    def last_words(self, failure: Failure) -> bytes:
        """Tell a failure after the first byte, in the form of this stream."""
        return self._lines.last_words(failure)


class NDJSONStream(LineStream):
    """Ollama's streams: one JSON object a line."""


class SSEStream(LineStream):
    """Server-sent events, for the other APIs."""

    media_type = "text/event-stream"

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self["Cache-Control"] = "no-cache"


def json_response(body: Any, status: int = 200) -> HttpResponse:
    """Encode a struct compactly, as Ollama does, with the length stated."""
    return _respond(to_json(body), JSON_TYPE, status)


def json_response_without_charset(body: Any, status: int = 200) -> HttpResponse:
    """Encode without a charset, as Ollama does where its stream path had set the type already."""
    return _respond(to_json(body), "application/json", status)


def bytes_response(content: bytes, media_type: str) -> HttpResponse:
    """Answer with what a backend answered, under its own type if nothing would run it."""
    return _respond(content, passive_type(media_type), 200)


def plain_response(text: str, status: int = 200) -> HttpResponse:
    """Answer with text."""
    return _respond(text.encode(), PLAIN_TYPE if status != 200 else f"{PLAIN_TYPE}; charset=utf-8", status)


def passive_type(content_type: str) -> str:
    """Give a backend's content type as it may be passed on: nothing that a browser would run on this origin.

    Sounds, pictures, plain text and JSON keep their type; other text, HTML above all, is plain text; whatever
    else there is, SVG and XML too, is bytes. Of the parameters only the charset is kept.
    """
    found = MEDIA_TYPE.match(content_type)
    if found is None:
        return BINARY_TYPE
    kind, given = found[1].lower(), found[0].rstrip("; \t").lower()
    if given not in PASSIVE_TYPES and (kind not in PASSIVE_KINDS or found[2].lower().startswith("svg")):
        given = PLAIN_TYPE if kind == "text" else BINARY_TYPE
    charset = CHARSET.search(content_type)
    return f"{given}; charset={charset[1]}" if charset and given != BINARY_TYPE else given


def error_response(failure: Failure, body: Any = None) -> HttpResponse:
    """Tell a failure before the first byte: with its status, in Ollama's shape unless a body is given."""
    response = json_response({"error": failure.message} if body is None else body, failure.status)
    if failure.retry_after_s is not None:
        response["Retry-After"] = str(failure.retry_after_s)
    return response


def _respond(content: bytes, content_type: str, status: int) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type, status=status)
    response["Content-Length"] = str(len(content))
    return response
