"""The ways in which a backend is asked for a chat or a generation: a row each; the target decides which."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.dialect import Fill
from backends.wire.infill import decode_infill
from backends.wire.native import decode_line
from backends.wire.reading import Each, Reader, Reading, Reads
from gateway.translate import completions, ollama_native
from gateway.translate.reasoning_replay import keys_of_messages
from gateway.upstream_routes import Endpoint
from ollama_api.ollama import chat as chats
from ollama_api.ollama import generate as generations
from ollama_api.ollama.types import ChatRequest, GenerateRequest

READERS: dict[str, Callable[[Reading], Reads[Any]]] = {
    "choices": Reader,
    "infill": lambda reading: Each(decode_infill),
    "ollama": lambda reading: Each(decode_line),
}
NATIVE = {
    "is_from_root": True,
    "in_lines": True,
    "cuts": False,
    "loads": True,
    "reader": READERS["ollama"],
}
"""What the ways over Ollama's own API have in common."""


def _chat_way(call: ChatRequest, target: Target, rule: MappingRules) -> Endpoint[ChatRequest]:
    return CHATS[target.dialect.protocol]


def _generate_way(
    call: GenerateRequest, target: Target, rule: MappingRules
) -> Endpoint[GenerateRequest] | None:
    """Ask in a target's own protocol; else as a chat, or as one of the ways without a template."""
    if target.dialect.protocol == "ollama":
        return NATIVE_GENERATE
    if call.template or call.context:
        return None
    if call.suffix:
        fill = completions.fill_of(target, rule)
        return _filling(fill) if fill else None
    if call.raw:
        return RAW if target.dialect.completes else None
    return GENERATE


CHAT: Endpoint[ChatRequest] = Endpoint(
    name="chat",
    upstream_path=chats.PATH,
    way=_chat_way,
    is_empty=lambda call: not call.messages,
    check=chats.check,
    needs=chats.needs,
    to_upstream=chats.to_upstream,
    from_upstream=chats.from_upstream,
    mend=chats.without_echo,
    call_keys=lambda call: keys_of_messages(call.messages),
    stream=chats.stream,
    empty_reply=chats.empty_reply,
)
NATIVE_CHAT = msgspec.structs.replace(
    CHAT,
    upstream_path=ollama_native.CHAT_PATH,
    to_upstream=ollama_native.chat_body,
    **NATIVE,
)
CHATS: dict[str, Endpoint[ChatRequest]] = {"openai": CHAT, "ollama": NATIVE_CHAT}

GENERATE: Endpoint[GenerateRequest] = Endpoint(
    name="generate",
    upstream_path=chats.PATH,
    way=_generate_way,
    no_way=completions.refusal,
    is_empty=lambda call: not call.prompt,
    check=generations.check,
    needs=generations.needs,
    to_upstream=generations.to_upstream,
    from_upstream=generations.from_upstream,
    stream=generations.stream,
    empty_reply=generations.empty_reply,
)
RAW = msgspec.structs.replace(
    GENERATE, upstream_path=completions.PATH, is_usual=False, to_upstream=completions.raw_body
)
NATIVE_GENERATE = msgspec.structs.replace(
    GENERATE,
    upstream_path=ollama_native.GENERATE_PATH,
    to_upstream=ollama_native.generate_body,
    **NATIVE,
)


@lru_cache(maxsize=64)
def _filling(fill: Fill) -> Endpoint[GenerateRequest]:
    return msgspec.structs.replace(
        RAW,
        upstream_path=fill.path,
        is_from_root=fill.from_root,
        to_upstream=completions.fill_body,
        reader=READERS[fill.answer],
    )
