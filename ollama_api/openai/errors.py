"""Failures in OpenAI's shape. Pure. Source: Ollama `openai/openai.go:NewError`."""

from __future__ import annotations

from typing import Any

from gateway.errors import Failure

ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


def error_body(failure: Failure, request_id: str) -> dict[str, Any]:
    """Write a failure, with the backend's own words for programs, which Ollama has not."""
    kind = ERROR_TYPES.get(failure.status, "api_error")
    return {"error": {"message": failure.message, "type": kind, "param": failure.param, "code": failure.code}}
