"""The form that an answer shall have, in each dialect's way: by a field, by an instruction, or both. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.wire.dialect import Dialect
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest
from gateway.generation import ResponseFormat
from gateway.translate.schema_grammar import fit_schema

Turn = dict[str, Any]

ANY_OBJECT: dict[str, Any] = {"type": "object"}
IN_WORDS = "Answer with JSON only, without any other text. It has to fit this JSON schema: "
ANY_JSON_IN_WORDS = "Answer with one JSON object only, without any other text."
JSON_WORD = "Answer in JSON."
BESIDE_OBJECT = {"value": "value", "object_schema": "schema"}
"""Style -> the member that holds a schema beside json_object."""


def parse_ollama_format(raw: msgspec.Raw) -> ResponseFormat | None:
    """Read Ollama's `format`: the word json, or a JSON schema.

    Raises:
        BadRequest: it is neither. (Ollama says the same with status 500.)
    """
    wanted = msgspec.json.decode(raw) if raw else None
    if wanted is None or wanted == "":
        return None
    if wanted == "json":
        return ResponseFormat()
    if not isinstance(wanted, dict):
        text = msgspec.json.encode(bytes(raw).decode()).decode()
        raise BadRequest(f'invalid format: {text}; expected "json" or a valid JSON Schema object')
    return ResponseFormat(wanted)


def build_fields(form: ResponseFormat, dialect: Dialect, diagnostics: Diagnostics = SILENT) -> dict[str, Any]:
    """Give the body fields."""
    style = dialect.format
    if style == "prompt":
        diagnostics.note_changed(
            "format", "messages", "this kind of backend has no such field: asked for in words"
        )
        return {}
    if style == "object" or (form.schema is None and style in ("openai", "object_schema")):
        if form.schema is not None:
            diagnostics.note_changed(
                "format", "response_format", "no schemas here: any JSON, and the schema in words"
            )
        return {"response_format": {"type": "json_object"}}
    schema = ANY_OBJECT if form.schema is None else form.schema
    if form.schema is None:
        diagnostics.note_changed("format", "response_format", "only schemas here: one that allows any object")
    schema = fit_schema(schema, dialect, "format", "response_format", diagnostics)
    if style in BESIDE_OBJECT:
        return {"response_format": {"type": "json_object", BESIDE_OBJECT[style]: schema}}
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": form.name, "schema": schema, **form.more},
        }
    }


def ask_in_words(
    form: ResponseFormat, turns: list[Turn], dialect: Dialect, diagnostics: Diagnostics = SILENT
) -> list[Turn]:
    """Say in words what no field can, or what has to be in words too; the turns as they are if nothing is."""
    if dialect.format in ("prompt", "object") and form.schema is not None:
        words = IN_WORDS + msgspec.json.encode(form.schema).decode()
    elif dialect.format == "prompt":
        words = ANY_JSON_IN_WORDS
    elif dialect.requires_json_word and form.schema is None and not _says_json(turns):
        words = JSON_WORD
    else:
        return turns
    diagnostics.note_added("messages", f"a system turn: {words[:60]}")
    place = next((at for at, turn in enumerate(turns) if turn["role"] != "system"), len(turns))
    return [*turns[:place], {"role": "system", "content": words}, *turns[place:]]


def _says_json(turns: list[Turn]) -> bool:
    """Look for the word that OpenAI demands, in what is text: four letters are in every large image."""
    return any("json" in text.lower() for turn in turns for text in _texts(turn.get("content")))


def _texts(content: Any) -> list[str]:
    if isinstance(content, list):
        return [part["text"] for part in content if isinstance(part.get("text"), str)]
    return [content] if isinstance(content, str) else []
