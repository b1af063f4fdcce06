"""In which form a backend is asked: path, framing, reader and body builder, a row each. Pure.

The row is chosen once per attempt, from what is asked and the target: its dialect, its model, and what
probes found of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules, Target
from backends.wire.dialect import Fill
from backends.wire.embedding_replies import read_embeddings
from backends.wire.infill import decode_infill
from backends.wire.native import decode_embeddings_reply, decode_line
from backends.wire.reading import Each, Reader, Reading, Reads
from gateway.diagnostics import TranslationContext
from gateway.errors import BadRequest, ModelNotFound, RequestError
from gateway.generation import GenerationRequest
from gateway.operation import EmbeddingRequest, MediaRequest, ModelLoad, Operation
from gateway.raw_body import RawBody
from gateway.raw_forms import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, RawForm
from gateway.translate import chat_completions, completions, embeddings, ollama_native
from gateway.translate.raw_answers import ChunkReader, read_vector_list
from gateway.translate.raw_events import EVENT_FORMS, make_event_decoder
from gateway.translate.stop_emulation import list_unsent_stops

Body = Mapping[str, Any] | bytes
"""What is sent: the members of a JSON object, or a body that only the backend reads."""
Build = Callable[[Any, Target, TranslationContext], Body]


class UpstreamRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One form in which a backend is asked."""

    path: str
    is_from_root: bool = False
    """Whether `path` stands beside a base URL's /v1, not below it."""
    is_in_lines: bool = False
    """Whether a stream comes as one JSON object per line, not as server-sent events."""
    is_universal: bool = True
    """Whether every backend has it, so that a 404 there is about the model."""
    loads_models: bool = False
    """Whether requests that only load or unload a model are sent to the backend."""
    emulates_stops: bool = False
    """Whether stop strings that are not sent are looked for in the answer here."""
    client_headers: tuple[str, ...] = ()
    """Headers of the client that go along, since members of the body may need them; no others do."""
    build: Build
    """Make the body for one target. Raises `BadRequest`."""
    reader: Callable[[Reading], Reads[Any]] = Reader
    """Make the reader of one answer, for the way in which a kind of backend has to be read."""


READERS: dict[str, Callable[[Reading], Reads[Any]]] = {
    "choices": Reader,
    "infill": lambda reading: Each(decode_infill),
    "ollama": lambda reading: Each(decode_line),
}
CHAT_COMPLETIONS = UpstreamRoute(
    path="/chat/completions", emulates_stops=True, build=chat_completions.build_chat
)
OLLAMA_CHAT = UpstreamRoute(
    path="/api/chat",
    is_from_root=True,
    is_in_lines=True,
    loads_models=True,
    build=ollama_native.build_chat,
    reader=READERS["ollama"],
)
OLLAMA_GENERATE = msgspec.structs.replace(
    OLLAMA_CHAT, path="/api/generate", build=ollama_native.build_generation
)
RAW_PROMPT = UpstreamRoute(
    path="/completions", is_universal=False, emulates_stops=True, build=completions.build_completion
)
EMBEDDING_ROUTES = {
    "openai": UpstreamRoute(
        path=embeddings.PATH,
        is_universal=False,
        build=embeddings.build_part,
        reader=lambda reading: Each(read_embeddings),
    ),
    "ollama": UpstreamRoute(
        path="/api/embed",
        is_from_root=True,
        is_universal=False,
        build=ollama_native.build_embedding,
        reader=lambda reading: Each(decode_embeddings_reply),
    ),
}


def _build_raw(body: RawBody, target: Target, context: TranslationContext) -> Body:
    return body.build(target, context.diagnostics)


def _pass_events(form: RawForm, *client_headers: str) -> UpstreamRoute:
    decode = make_event_decoder(EVENT_FORMS[form.name])
    return UpstreamRoute(
        path=form.path,
        client_headers=client_headers,
        build=_build_raw,
        reader=lambda reading: Each(decode),
    )


SEVERAL = "several answers"
"""A chat that asks for more than one."""
RAW_ROUTES: dict[str, UpstreamRoute] = {
    CHAT.name: UpstreamRoute(path=CHAT.path, build=_build_raw, reader=ChunkReader),
    SEVERAL: UpstreamRoute(
        path=CHAT.path, build=_build_raw, reader=partial(ChunkReader, joins_choices=False)
    ),
    COMPLETIONS.name: UpstreamRoute(
        path=COMPLETIONS.path,
        is_universal=False,
        build=_build_raw,
        reader=partial(ChunkReader, joins_choices=False),  # several prompts make several choices
    ),
    EMBEDDINGS.name: UpstreamRoute(
        path=EMBEDDINGS.path,
        is_universal=False,
        build=_build_raw,
        reader=lambda reading: Each(read_vector_list),
    ),
    MESSAGES.name: _pass_events(MESSAGES, "anthropic-beta", "anthropic-version"),
    RESPONSES.name: _pass_events(RESPONSES),
}


def choose_route(operation: Operation, target: Target, rules: MappingRules) -> UpstreamRoute | None:
    """Choose the form in which a target is asked. None: it cannot do what is asked."""
    if isinstance(operation, GenerationRequest):
        return _choose_for_generation(operation, target, rules)
    if isinstance(operation, ModelLoad):
        return _choose_for_generation(operation.request, target, rules)
    if isinstance(operation, RawBody):
        name = SEVERAL if operation.form is CHAT and operation.choice_count > 1 else operation.form.name
        return RAW_ROUTES[name] if _has_raw_route(operation.form, target) else None
    if isinstance(operation, EmbeddingRequest):
        has_embeddings = target.dialect.embeddings is not None
        return EMBEDDING_ROUTES[target.dialect.protocol] if has_embeddings else None
    return _media_route(operation.path)


def _has_raw_route(form: RawForm, target: Target) -> bool:
    if form is COMPLETIONS:
        return target.dialect.has_completions_api
    return form is not EMBEDDINGS or target.dialect.embeddings is not None


def _choose_for_generation(
    request: GenerationRequest, target: Target, rules: MappingRules
) -> UpstreamRoute | None:
    """Ask in a target's own protocol; else as a chat, or as a prompt that no template touches."""
    prompt = request.prompt
    if target.dialect.protocol == "ollama" and request.ollama is not None:
        is_chat = prompt is None or bool(request.ollama.messages)
        return OLLAMA_CHAT if is_chat else OLLAMA_GENERATE
    if prompt is None:
        return CHAT_COMPLETIONS
    if prompt.needs_ollama:
        return None
    if prompt.suffix:
        fill = completions.find_infill(target, rules)
        return _infill_route(fill) if fill else None
    if prompt.is_raw:
        return RAW_PROMPT if target.dialect.has_completions_api else None
    return CHAT_COMPLETIONS


@lru_cache(maxsize=64)
def _infill_route(fill: Fill) -> UpstreamRoute:
    return msgspec.structs.replace(
        RAW_PROMPT,
        path=fill.path,
        is_from_root=fill.from_root,
        build=partial(completions.build_infill, fill),
        reader=READERS[fill.response_shape],
    )


@lru_cache(maxsize=64)
def _media_route(path: str) -> UpstreamRoute:
    return UpstreamRoute(
        path=path,
        is_universal=False,
        build=lambda media, target, context: media.build(target, context.diagnostics),
    )


def build_body(
    route: UpstreamRoute, operation: Any, target: Target, context: TranslationContext
) -> tuple[Body, list[str]]:
    """Build the body for one target, and list the stop strings to look for in its answer here."""
    body = route.build(operation, target, context)
    if not route.emulates_stops or not isinstance(operation, GenerationRequest) or not operation.options:
        return body, []
    return body, list_unsent_stops(operation.options, target.dialect, body, context.diagnostics)


def explain_inability(operation: Operation) -> RequestError:
    """Tell the client that no target of the model can do what is asked, in its API's own words."""
    model = operation.model
    if isinstance(operation, GenerationRequest) and operation.prompt is not None:
        return BadRequest(completions.explain_inability(model, operation.prompt))
    if isinstance(operation, EmbeddingRequest) or (
        isinstance(operation, RawBody) and operation.form is EMBEDDINGS
    ):
        return BadRequest(embeddings.describe_inability(model))
    if isinstance(operation, MediaRequest):
        return ModelNotFound(f"no backend of model '{model}' has /v1{operation.path}")
    if isinstance(operation, RawBody) and operation.form is COMPLETIONS:
        return BadRequest(f'"{model}" does not support completions, only chat')
    return BadRequest("this model cannot do that")
