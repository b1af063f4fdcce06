"""/v1/embeddings: what it asks, and its vectors in the encoding that was asked for. Pure.

Source: OpenAI API reference, "Embeddings"; Ollama `middleware/openai.go`, EmbeddingsMiddleware, and
`server/routes.go`, EmbedHandler.
"""

from __future__ import annotations

import base64
from array import array
from functools import partial
from typing import Any

import msgspec

from gateway.answer import AnswerMetrics
from gateway.client_api import ClientApi
from gateway.errors import AnswerUnusable, BadRequest, ModelNotFound
from gateway.raw_body import RawBody
from gateway.raw_forms import EMBEDDINGS as FORM
from gateway.raw_forms import EMPTY, NULL, Fields, encode_raw
from gateway.translate.embeddings import explain_missing_model, is_base64, numbers
from gateway.translate.raw_answers import VectorList
from ollama_api.raw_api import decode_member, keep_operation, parse_raw, restore_model

# What Ollama says on this route when no model is named.
no_model = partial(ModelNotFound, "model '' not found")

LIST, EMBEDDING = encode_raw("list"), encode_raw("embedding")
_decode_objects = msgspec.json.Decoder(list[Fields]).decode
_decode_inputs = tuple(msgspec.json.Decoder(kind).decode for kind in (list[str], list[int], list[list[int]]))


def parse(body: bytes) -> RawBody:
    """Take the body of an embedding apart, as Ollama checks it; never stream. Raises `RequestError`."""
    call = parse_raw(FORM, body, no_model)
    call.stream = False
    requested = decode_member(call.fields, "encoding_format", str, "float")
    encoding = requested.lower() or "float"  # Ollama takes it in any case, and an empty one as absent
    if encoding not in ("float", "base64"):
        raise BadRequest(
            f"Invalid value for 'encoding_format' = {requested}. Supported values: ['float', 'base64']."
        )
    if encoding != requested:
        call.fields["encoding_format"] = encode_raw(encoding)
    _check_input(call.fields.get("input", NULL))
    return call


def _check_input(given: msgspec.Raw) -> None:
    """Refuse what is no input: Ollama wants texts. Tokens, as OpenAI takes them, are the backend's."""
    if bytes(given) in EMPTY:
        raise BadRequest("invalid input")
    if bytes(memoryview(given)[:1]) != b"[":
        return
    for decode in _decode_inputs:
        try:
            decode(given)
        except (msgspec.DecodeError, RecursionError):
            continue
        return
    raise BadRequest("invalid input type")


def encode(body: RawBody, answer: VectorList, metrics: AnswerMetrics, now_ns: int) -> Fields:
    """Give the vectors back in the encoding that was asked for, whichever the backend knows.

    OpenAI's JavaScript library asks for base64 without being told to, and reads what comes as that.

    Raises:
        AnswerUnusable: a vector is none.
    """
    fields = restore_model(body, answer, metrics, now_ns)
    wants_base64 = decode_member(body.fields, "encoding_format", str, "") == "base64"
    try:
        entries = _decode_objects(fields["data"])
    except (msgspec.DecodeError, RecursionError) as error:
        raise AnswerUnusable(f"the backend sent embeddings that are none: {error}") from None
    if all(_is_complete(entry, wants_base64) for entry in entries) and "object" in fields:
        return fields
    entries = [_complete(entry, place, wants_base64) for place, entry in enumerate(entries)]
    return {"object": LIST, **fields, "data": encode_raw(entries)}


def _is_complete(entry: Fields, wants_base64: bool) -> bool:
    has_all = "object" in entry and "index" in entry and "embedding" in entry
    return has_all and is_base64(entry["embedding"]) is wants_base64


def _complete(entry: Fields, place: int, wants_base64: bool) -> Fields:
    """Give one vector in the right encoding, with what the API promises. Raises `AnswerUnusable`."""
    vector = entry.get("embedding", NULL)
    if is_base64(vector) is not wants_base64:
        vector = encode_raw(_pack(numbers(vector)) if wants_base64 else numbers(vector))
    return {"object": EMBEDDING, "index": encode_raw(place), **entry, "embedding": vector}


def _pack(values: list[float]) -> Any:
    """Pack numbers as OpenAI does: base64 of little-endian float32."""
    try:
        return base64.b64encode(array("f", values).tobytes()).decode()
    except OverflowError as error:
        raise AnswerUnusable(f"the backend sent an embedding that is no vector: {error}") from None


EMBEDDINGS = ClientApi(
    name="v1.embeddings",
    parse=parse,
    translate=keep_operation,
    encode=encode,
    explain_missing_model=explain_missing_model,
)
