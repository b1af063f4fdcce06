"""What /v1/chat/completions and completions ask. Pure.

Towards a backend of the same language bodies pass; `answers` is the way back.
"""

from __future__ import annotations

import msgspec

from gateway import counts
from gateway.client_api import ClientApi
from gateway.errors import BadRequest
from gateway.raw_body import RawBody
from gateway.raw_forms import CHAT as CHAT_FORM
from gateway.raw_forms import COMPLETIONS as COMPLETIONS_FORM
from ollama_api.openai.answers import ChunkPassthrough, encode_whole
from ollama_api.openai.vectors import no_model
from ollama_api.raw_api import decode_member, keep_operation, parse_raw


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


CHAT = ClientApi(
    name="v1.chat",
    parse=parse_chat,
    translate=keep_operation,
    encode=encode_whole,
    open_stream=ChunkPassthrough,
)
COMPLETIONS = ClientApi(
    name="v1.completions",
    parse=parse_completion,
    translate=keep_operation,
    encode=encode_whole,
    open_stream=ChunkPassthrough,
)
