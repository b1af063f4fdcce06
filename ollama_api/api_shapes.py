"""The APIs that clients speak to us: how each writes a failure, and where it looks for the request id. Pure.

A refusal before the door knows no more of a request than its path, so a path is enough to find the API.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.errors import Failure
from ollama_api.anthropic.reply import error_body as anthropic_error
from ollama_api.openai.errors import error_body as openai_error

Envelope = Callable[[Failure, str], Any]
"""Writes a failure as an API's error body, for a request id."""


class ApiShape(NamedTuple):
    """One API: its error body, and the headers of the request id."""

    envelope: Envelope
    id_headers: tuple[str, ...] = ("X-Request-Id",)


OLLAMA = ApiShape(lambda failure, request_id: {"error": failure.message})
OPENAI = ApiShape(openai_error)
ANTHROPIC = ApiShape(anthropic_error, ("X-Request-Id", "request-id"))


def find_api_shape(path: str) -> ApiShape:
    """Say which API a path belongs to, whether there is such a route or not."""
    parts = path.lstrip("/").split("/", 2)
    if parts[0] != "v1":
        return OLLAMA
    return ANTHROPIC if parts[1:2] == ["messages"] else OPENAI
