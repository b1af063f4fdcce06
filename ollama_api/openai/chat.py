"""What /v1/chat/completions, completions and embeddings ask, and errors in OpenAI's shape. Pure.

Towards a backend of the same language bodies pass; `answers` is the way back.
"""

from __future__ import annotations

from functools import partial

import msgspec

from gateway import counts
from gateway.client_api import ClientApi
from gateway.errors import BadRequest, ModelNotFound
from gateway.raw_body import RawBody
from gateway.raw_forms import CHAT as CHAT_FORM
from gateway.raw_forms import COMPLETIONS as COMPLETIONS_FORM
from gateway.raw_forms import EMBEDDINGS as EMBEDDINGS_FORM
from gateway.raw_forms import EMPTY, NULL, encode_raw
from gateway.translate.embeddings import explain_missing_model
from ollama_api.openai.answers import ChunkPassthrough
from ollama_api.raw_api import decode_member, keep_operation, parse_raw, restore_model

# What Ollama says on these two routes when no model is named.
no_model = partial(ModelNotFound, "model '' not found")


def parse_chat(body: bytes) -> RawBody:
    """Take the body of a chat apart, which needs messages. Raises `BadRequest`."""
    call = parse_raw(CHAT_FORM, body)
    messages = decode_member(call.fields, "messages", list[msgspec.Raw], [])
    counts.check("messages", counts.MOST_TURNS, len(messages), counts.as_openai)
    if not messages:
        raise BadRequest("[] is too short - 'messages'")
    return call


def parse_completion(body: bytes) -> RawBody:
    """Take the body of a completion apart. Raises `RequestError`."""
    return parse_raw(COMPLETIONS_FORM, body, no_model)


def parse_embeddings(body: bytes) -> RawBody:
    """Take the body of an embedding apart, as Ollama checks it; never stream. Raises `RequestError`."""
    call = parse_raw(EMBEDDINGS_FORM, body, no_model)
    call.stream = False
    said = decode_member(call.fields, "encoding_format", str, "float")
    encoding = said.lower() or "float"  # Ollama takes it in any case, and an empty one as absent
    if encoding not in ("float", "base64"):
        raise BadRequest(
            f"Invalid value for 'encoding_format' = {said}. Supported values: ['float', 'base64']."
        )
    if encoding != said:
        call.fields["encoding_format"] = encode_raw(encoding)
    if bytes(call.fields.get("input", NULL)) in EMPTY:
        raise BadRequest("invalid input")
    return call


CHAT = ClientApi(
    name="v1.chat",
    parse=parse_chat,
    translate=keep_operation,
    encode=restore_model,
    open_stream=ChunkPassthrough,
)
COMPLETIONS = ClientApi(
    name="v1.completions",
    parse=parse_completion,
    translate=keep_operation,
    encode=restore_model,
    open_stream=ChunkPassthrough,
)
EMBEDDINGS = ClientApi(
    name="v1.embeddings",
    parse=parse_embeddings,
    translate=keep_operation,
    encode=restore_model,
    explain_missing_model=explain_missing_model,
)
