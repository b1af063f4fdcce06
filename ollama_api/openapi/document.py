"""The OpenAPI 3.1 description of what clients see. Pure: `manage.py openapi` writes it down."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from ollama_api.openapi.routes import (
    ERRORS,
    JSON,
    KINDS,
    OPERATIONS,
    PARAMETERS,
    SCHEMAS,
    UNAUTHORIZED,
    VERBS,
    Operation,
)
from ollama_api.openapi.schemas import Schema, schemas

DESCRIPTION = """\
The API of an Ollama server, and the other languages that Ollama speaks on the same port.

Bodies are read as Ollama reads them: keys in any case, unknown keys skipped, `null` as if it were not there,
and the content type does not matter. A stream that fails ends with an error instead of its proper end. Keys
with the right `manage_models` make, copy and delete aliases.

Besides what is listed, a wrong method is answered with 405 and `Allow`, a body that is too slow or too large
with 408 or 413, and headers that are too large with 431. A compressed body (gzip, deflate, zstd) is taken by
POST on `/v1/chat/completions`, `completions`, `embeddings`, `responses`, `messages`; elsewhere answered
with 415.
"""
NAMED = re.compile(r"\{(\w+)\}")
REQUEST_ID = {
    "description": "Finds the request in the log. The client's own, where it sends one of the same name.",
    "schema": {"type": "string"},
}
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A client key."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "A client key as the password."},
}
SERVERS = [
    {"url": "http://127.0.0.1:11434"},
    {
        "url": "http://127.0.0.1:11434/k/{key}",
        "description": "With the client key in the path: for clients that have a URL and nothing else.",
        "variables": {"key": {"default": "KEY"}},
    },
]
RETRY_AFTER = {"description": "Seconds, where the backend asks for them.", "schema": {"type": "integer"}}
RETRIED = (429, 503)


def describe() -> dict[str, Any]:
    """Make the document."""
    return {
        "openapi": "3.1.1",
        "info": {"title": "Llamagate", "version": "1", "summary": "For clients.", "description": DESCRIPTION},
        "servers": SERVERS,
        # The empty one: on loopback no key is needed unless the operator wants it.
        "security": [*({name: []} for name in SECURITY), {}],
        "tags": [{"name": api} for api in ERRORS],
        "paths": _paths(),
        "components": {
            "schemas": dict(sorted((schemas(KINDS) | SCHEMAS).items())),
            "responses": _errors(),
            "securitySchemes": SECURITY,
            "headers": {"RequestId": REQUEST_ID, "RetryAfter": RETRY_AFTER},
        },
    }


def write_document() -> str:
    """Write the document."""
    return msgspec.json.format(msgspec.json.encode(describe()), indent=2).decode() + "\n"


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        item = paths.setdefault(operation.path, _parameters(operation.path))
        item[operation.method] = _operation(operation)
    return paths


def _parameters(path: str) -> dict[str, Any]:
    named = [
        {"name": name, "in": "path", "required": True, "schema": _parameter(path, name)}
        for name in NAMED.findall(path)
    ]
    return {"parameters": named} if named else {}


def _parameter(path: str, name: str) -> Schema:
    return {"enum": VERBS[path]} if name == "verb" else PARAMETERS[name]


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _identifier(operation),
        "tags": [operation.api],
        "summary": operation.summary,
    }
    if operation.public:
        described["security"] = [{}]
    if operation.body:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    described["responses"] = _responses(operation)
    return described


def _identifier(operation: Operation) -> str:
    words = re.findall(r"[a-z0-9]+", operation.path) or ["root"]
    return "_".join([operation.method, *words])


def _responses(operation: Operation) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    if operation.status is not None:
        answers[str(operation.status)] = _response("The answer.", operation.answer)
    for status in operation.errors:
        answers[str(status)] = {"$ref": f"#/components/responses/{_error_name(operation, status)}"}
    return answers


def _error_name(operation: Operation, status: int) -> str:
    return f"Head{status}" if operation.method == "head" else f"{operation.api}{status}"


def _errors() -> dict[str, Any]:
    """Describe every error of every API once."""
    errors: dict[str, Any] = {}
    for operation in OPERATIONS:
        for status in operation.errors:
            shapes = UNAUTHORIZED if status == HTTPStatus.UNAUTHORIZED else ERRORS
            content = {} if operation.method == "head" else {JSON: shapes[operation.api]}
            response = _response(HTTPStatus(status).phrase, content)
            if status in RETRIED:
                response["headers"]["Retry-After"] = _header("RetryAfter")
            errors[_error_name(operation, status)] = response
    return dict(sorted(errors.items()))


def _response(description: str, content: dict[str, Schema]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": description,
        "headers": {"X-Request-Id": _header("RequestId")},
    }
    if content:
        response["content"] = _content(content)
    return response


def _header(name: str) -> Schema:
    return {"$ref": f"#/components/headers/{name}"}


def _content(schemas: dict[str, Schema]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in schemas.items()}
